"""As whom a model is tried out by root."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from device.cli.check import model_lines
from device.errors import ModelError, TrialNotDoneError
from device.settings import Settings, replace_setting
from device.vision import MODELS, trial
from device.vision.model_store import ModelStore
from device.vision.tflite import TFLiteModel
from device.vision.trial import PASSED, require_trial, try_out
from device.vision.trial_user import foreign_owner, step_down
from tests.device.vision.mutated import CRASHES, TINY, changed, write_model
from tests.generators import generator_bundle

SERVICE = 4321, 4322
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

# A model that takes the process over once the runtime has it.
TAKEN_OVER = """
import os, sys
from pathlib import Path
from device.vision import tflite, trial
def taken_over(self, *arguments):
    done = []
    for attempt in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: open(SECRET).read()):
        try:
            attempt()
            done.append("done")
        except OSError:
            done.append("refused")
    print(*os.getresuid(), *os.getresgid(), os.getgroups(), *done)
    raise SystemExit(1)
tflite.TFLiteModel.__init__ = taken_over
sys.exit(trial.main([Path(os.fsdecode(sys.stdin.buffer.read()))]))
"""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """The service's folder in one that only root may enter, as systemd has it."""
    closed = tmp_path / "private"
    closed.mkdir(mode=0o700)
    (tmp_path / "state").symlink_to("private/state")
    models = closed / "state/models"
    models.mkdir(parents=True)
    return tmp_path / "state/models"


def give_away(folder: Path) -> None:
    folder.chmod(0o700)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, *SERVICE, follow_symlinks=False)


def taken_over(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who a model is that takes the process over, and what it could do as root."""
    secret, stand_in = tmp_path / "secret", tmp_path / "program"
    secret.touch(mode=0o600)
    stand_in.mkdir()
    (stand_in / "stand_in.py").write_text(TAKEN_OVER.replace("SECRET", repr(str(secret))))
    monkeypatch.setattr(trial, "MODULE", "stand_in")
    monkeypatch.setattr(trial, "ROOT", stand_in)
    monkeypatch.setenv("PYTHONPATH", "")
    with pytest.raises(ModelError) as told:
        try_out(model)
    return str(told.value)


@needs_root
def test_a_model_of_the_service_gets_the_service_s_rights_alone(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_model(models / "m", TINY.read_bytes())
    give_away(models.resolve().parent)
    told = taken_over(model, tmp_path, monkeypatch)
    assert told == "4321 4321 4321 4322 4322 4322 [] refused refused refused"


@needs_root
def test_one_of_root_s_own_gets_nobody_s_rights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_model(tmp_path / "m", TINY.read_bytes())
    told = taken_over(model, tmp_path, monkeypatch)
    assert told == f"{'65534 ' * 6}[] refused refused refused"


@needs_root
def test_the_service_s_models_are_tried_out_where_only_root_may_enter(models: Path) -> None:
    model = write_model(models / "m", TINY.read_bytes())
    damaged = changed(models / "n", *CRASHES["SIGABRT"])
    give_away(models.resolve().parent)
    try_out(model)
    with pytest.raises(ModelError, match=f"^{damaged}: self-test failed"):
        try_out(damaged)


@needs_root
def test_check_loads_no_model_of_the_service_in_root_s_process(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ModelStore(models)
    card = store.install(generator_bundle(tmp_path / "bundle"), try_out)
    mine = models / TINY.name
    for suffix in (".tflite", ".json"):
        shutil.copy(TINY.with_suffix(suffix), models)
    give_away(models.resolve().parent)
    loaded: list[bytes] = []
    load = TFLiteModel.__init__

    def watched(self: TFLiteModel, content: bytes, *arguments: object, **options: object) -> None:
        loaded.append(content)
        load(self, content, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(TFLiteModel, "__init__", watched)
    said = list(model_lines(replace_setting(Settings(), "classifier.model", str(mine)), store))
    assert f"generator generator {card.version}, self-test passed" in said
    generator = store.find("generator")
    assert generator
    assert not {mine.read_bytes(), generator.read_bytes()} & {*loaded}
    assert loaded  # the landmark model that came with Mien


@needs_root
def test_root_writes_no_mark_through_a_link_of_the_service(models: Path, tmp_path: Path) -> None:
    place = models / "m" / "1-abc"
    place.parent.mkdir()
    model = write_model(place, TINY.read_bytes())
    of_root = tmp_path / "of_root"
    of_root.write_text("mine")
    (place / PASSED).symlink_to(of_root)
    give_away(models.resolve().parent)
    require_trial(model)
    assert of_root.read_text() == "mine"


@needs_root
def test_whose_a_model_is(models: Path, tmp_path: Path) -> None:
    model = write_model(models / "m", TINY.read_bytes())
    assert foreign_owner(model) is None
    os.chown(model, *SERVICE)
    assert foreign_owner(model) == SERVICE
    os.chown(model, 0, 0)
    os.chown(models.resolve().parent, *SERVICE)  # may put another folder in the place of `m`
    assert foreign_owner(model) == SERVICE
    (models / "link").symlink_to(TINY)
    assert foreign_owner(models / "link") == SERVICE  # may lead elsewhere the next moment
    (tmp_path / "link").symlink_to(model)
    assert foreign_owner(tmp_path / "link") == SERVICE


@needs_root
def test_where_root_cannot_become_the_owner_the_model_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    for name in ("setgroups", "setresgid", "setresuid"):
        monkeypatch.setattr(os, name, refuse)
    model = write_model(tmp_path / "m", TINY.read_bytes())
    step_down(model)  # root's own
    os.chown(model, *SERVICE)
    with pytest.raises(TrialNotDoneError, match="root cannot become user 4321"):
        step_down(model)


def test_a_plain_user_and_what_came_with_mien_stay_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: list[object] = []
    for name in ("setgroups", "setresgid", "setresuid"):
        monkeypatch.setattr(os, name, lambda *given: changes.append(given))
    step_down(TINY)
    step_down(MODELS / TINY.name)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    model = write_model(tmp_path / "m", TINY.read_bytes())
    step_down(model)
    assert foreign_owner(model) is None
    assert changes == []
