from __future__ import annotations

import json
import resource
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from device.errors import DetectorError, ModelError, TrialNotDoneError
from device.vision import MODELS, trial
from device.vision.blazeface_models import pip_download
from device.vision.model_store import ModelStore
from device.vision.trial import PASSED, require_trial, try_out
from tests.device.vision.mutated import CRASHES, TINY, changed, write_model


@pytest.mark.parametrize(("number", "change"), CRASHES.items())
def test_a_model_that_crashes_the_runtime_is_refused_and_the_daemon_lives(
    tmp_path: Path, number: str, change: tuple[int, bytes]
) -> None:
    model = changed(tmp_path / "m", *change)
    # A read outside the file is a SIGSEGV nearly always: it depends on what lies there.
    sentence = (
        rf"^{model}: self-test failed: (the model crashes the runtime \({number}\)$|\w+Error)"
    )
    with pytest.raises(ModelError, match=sentence):
        try_out(model)
    with pytest.raises(ModelError, match="self-test failed"):
        ModelStore(tmp_path / "models").install(model.parent, try_out)
    assert not (tmp_path / "models").exists()


def test_what_the_runtime_says_in_several_lines_is_one_that_names_the_file(tmp_path: Path) -> None:
    model = changed(tmp_path / "m", 73_316, b"\xff" * 4)
    with pytest.raises(
        ModelError, match=rf"^{model}: the TFLite runtime cannot hold the model: [^\n]+$"
    ):
        try_out(model)


def test_nothing_is_imported_from_the_folder_one_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "resource.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    (tmp_path / "pip.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    model = write_model(tmp_path / "m", TINY.read_bytes())
    monkeypatch.chdir(tmp_path)
    try_out(Path("m") / model.name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(DetectorError):
        pip_download(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_a_model_that_asks_for_gigabytes_gets_a_quarter_of_one(tmp_path: Path) -> None:
    small, large = (struct.pack("<4i", 1, side, side, 1) for side in (48, 6000))
    model = write_model(tmp_path / "m", TINY.read_bytes().replace(small, large))
    before_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    with pytest.raises(ModelError):
        try_out(model)
    peak_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # of all children so far
    assert peak_kb <= max(400 << 10, before_kb)


def test_what_the_libraries_map_is_not_counted_as_the_models() -> None:
    """OpenBLAS reserves 230 MB on arm64, where every model was refused."""
    program = (
        "import mmap, sys; from pathlib import Path; from device.vision.trial import main\n"
        "held = mmap.mmap(-1, 600 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n"
        "sys.exit(main([Path(sys.argv[1])]))"
    )
    command = [sys.executable, "-c", program, str(TINY)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("import os; os.abort()", "crashes the runtime .SIGABRT"),
        ("import os; os.kill(os.getpid(), 11)", "crashes the runtime .SIGSEGV"),
        (
            "raise UnicodeDecodeError('utf-8', b'', 0, 1, 'wrong')",
            "self-test failed: UnicodeDecodeError",
        ),
        ("while True: pass", "more than 1 s"),
        ("print('a.tflite: wrong'); raise SystemExit(78)", "a.tflite: wrong"),
        ("raise SystemExit(1)", "a.tflite: self-test failed: no answer"),
    ],
)
def test_whatever_happens_to_the_child_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, message: str
) -> None:
    (tmp_path / "stand_in.py").write_text(body)
    monkeypatch.setattr(trial, "MODULE", "stand_in")
    monkeypatch.setattr(trial, "ROOT", tmp_path)
    if "while True" in body:
        monkeypatch.setattr(trial, "MAX_S", 1)  # else longer than a busy machine starts Python
    with pytest.raises(ModelError, match=message):
        try_out(tmp_path / "a.tflite")


@pytest.mark.parametrize("error", [OSError("no memory"), subprocess.TimeoutExpired("x", 20)])
def test_an_installation_is_refused_where_the_self_test_cannot_be_carried_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def run(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", run)
    model = write_model(tmp_path / "m", TINY.read_bytes())
    with pytest.raises(ModelError, match=f"^{model.parent}: the self-test cannot be"):
        ModelStore(tmp_path / "models").install(model.parent, try_out)
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("child", "told"),
    [
        ("import os; os.kill(os.getpid(), 9)", r"a\.tflite: the self-test cannot be finished"),
        ("print('m: cannot'); raise SystemExit(75)", r"^m: cannot$"),  # root could not step down
    ],
)
def test_a_child_that_could_not_do_it_says_nothing_about_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, child: str, told: str
) -> None:
    (tmp_path / "stand_in.py").write_text(child)
    monkeypatch.setattr(trial, "MODULE", "stand_in")
    monkeypatch.setattr(trial, "ROOT", tmp_path)
    with pytest.raises(TrialNotDoneError, match=told):
        try_out(tmp_path / "a.tflite")


def test_a_model_that_computes_for_ever_is_blamed_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stand_in.py").write_text(
        "import sys; from pathlib import Path; from device.vision import trial\n"
        "def compute(path, ready):\n    while True: pass\n"
        "trial.check, trial.MAX_CPU_S = compute, 1\n"
        "sys.exit(trial.main([Path('a.tflite')]))"
    )
    monkeypatch.setattr(trial, "MODULE", "stand_in")
    monkeypatch.setattr(trial, "ROOT", tmp_path)
    monkeypatch.setattr(trial, "MAX_S", 300)  # of a busy machine
    with pytest.raises(ModelError, match="self-test failed: it computes for more than") as told:
        try_out(tmp_path / "a.tflite")
    assert not isinstance(told.value, TrialNotDoneError)


def test_what_has_passed_is_remembered_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Path] = []
    monkeypatch.setattr(trial, "try_out", tried.append)
    require_trial(TINY)  # shipped
    assert tried == []
    place = tmp_path / "expression-tiny" / "1-abc"
    place.mkdir(parents=True)
    for suffix in (".tflite", ".json"):
        shutil.copy(TINY.with_suffix(suffix), place)
    model = place / TINY.name
    for _ in range(2):
        require_trial(model)
    assert tried == [model]
    card = json.loads(model.with_suffix(".json").read_text())
    model.with_suffix(".json").write_text(json.dumps({**card, "temperature": 2.0}))
    require_trial(model)
    assert tried == [model, model]


def test_a_model_of_one_s_own_is_tried_out_and_nothing_is_written_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Path] = []
    monkeypatch.setattr(trial, "try_out", tried.append)
    shutil.copytree(MODELS, tmp_path / "mine")
    require_trial(tmp_path / "mine" / TINY.name)
    assert len(tried) == 1
    assert not (tmp_path / "mine" / PASSED).exists()
