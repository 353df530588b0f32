import signal
import subprocess
import sys
from pathlib import Path

import pytest

from device.__main__ import COMMANDS, main


def test_wrong_settings_end_with_78_and_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "mien.toml"
    config.write_text("[camera]\nwdith = 640\n")
    assert main(["check", "--config", str(config)], {}) == 78
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"mien: {config}:2: unknown key camera.wdith")
    assert err.count("\n") == 1


def test_each_wrong_setting_has_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "mien.toml"
    config.write_text("[camera]\nwdith = 640\nheight = 1\n[smoothing]\nthreshold = 9\n")
    for command in ("check", "run"):
        assert main([command, "--config", str(config)], {}) == 78
        lines = capsys.readouterr().err.splitlines()
        assert [line.split(": ")[1] for line in lines] == [f"{config}:{n}" for n in (2, 3, 5)]


def test_debug_shows_where_and_changes_no_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--debug", "--config", str(tmp_path / "none.toml")], {}) == 78
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "mien: cannot read settings" in err or "none.toml" in err.splitlines()[-1]


@pytest.mark.parametrize("words", [("model", "list"), ("capture", "clear"), ("discovery", "clear")])
def test_settings_are_named_before_or_after_an_action(
    words: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, action = words
    config = tmp_path / "mien.toml"
    config.write_text("[camera]\nwdith = 640\n")
    for argv in (
        [command, "--config", str(config), action],
        [command, action, "--config", str(config)],
    ):
        assert main(argv, {}) == 78
        assert f"{config}:2: unknown key" in capsys.readouterr().err
        assert main([*argv, "--debug"], {}) == 78
        assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [[], ["dance"], ["analyze"], ["run", "--speed", "9"]])
def test_a_wrong_command_line_is_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv, {})
    assert caught.value.code == 2
    assert "usage: mien" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("check my.toml", "--config my.toml"),
        ("doctor my.toml", "--config my.toml"),
        ("doctor settings", "--config settings"),
        ("run my.toml", "--config my.toml"),
        ("run film.mp4", "--source film.mp4"),
        ("run --debug film.mp4", "--source film.mp4"),
        ("watch my.toml", "--config my.toml"),
        ("watch 192.0.2.7", "--broker 192.0.2.7"),
        ("model list my.toml", "--config my.toml"),
        ("bench film.mp4", "--source film.mp4"),
        ("fetch models", "--into models"),
    ],
)
def test_a_bare_word_is_told_its_option(
    line: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(line.split(), {})
    assert caught.value.code == 2
    assert capsys.readouterr().err.endswith(f"; did you mean {meant}?\n")


@pytest.mark.parametrize("line", ["check --speed 9", "model install b.zip mb", "capture clear all"])
def test_what_stands_for_nothing_gets_no_proposal(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(line.split(), {})
    assert "error: unrecognized arguments: " in (err := capsys.readouterr().err)
    assert "did you mean" not in err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"], {})
    assert caught.value.code == 0
    assert f"usage: mien {command}" in capsys.readouterr().out


def test_a_missing_model_is_a_configuration_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"], {"MIEN_CLASSIFIER__MODEL": "/nowhere/net.tflite"}) == 78
    assert "/nowhere/net.tflite" in capsys.readouterr().err


def test_a_network_that_nobody_knows_is_named_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["check"], {"MIEN_CLASSIFIER__MODEL": "nope"}) == 78
    assert "classifier.model = 'nope'" in (err := capsys.readouterr().err)
    assert "expression-tiny" in err
    assert "the path of a file must end in .tflite" in err


@pytest.mark.parametrize(
    ("variable", "key"),
    [("MIEN_OUTBOX__PATH", "outbox.path"), ("MIEN_DEVICE__STATE_DIR", "device.state_dir")],
)
def test_a_place_where_nothing_can_be_written_is_no_good_setting(
    variable: str, key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = {"XDG_STATE_HOME": str(tmp_path)}
    assert main(["check"], environment | {variable: "/proc/nope/o.db"}) == 78
    assert f"{key}: nothing can be written to /proc/nope" in capsys.readouterr().err
    assert main(["check"], environment | {variable: str(tmp_path / "new" / "o.db")}) == 0
    assert not list(tmp_path.iterdir())


def test_a_source_that_is_not_there_is_told_before_anything_is_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = {"XDG_STATE_HOME": str(tmp_path / "state")}
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "two").mkdir()
    for name in "ab":
        (tmp_path / "two" / f"{name}.jpg").write_text("no picture")
    for name, why in (
        ("none", "cannot read: No such file"),
        ("empty", "no picture and no video"),
        ("text.jpg", "not a picture, or damaged"),
        ("two", "none of its 2 files can be read"),
    ):
        assert main(["run", "--source", str(tmp_path / name)], environment) == 1
        out, err = capsys.readouterr()
        assert err.startswith(f"mien: {tmp_path / name}: {why}")
        assert (out, err.count("\n")) == ("", 1)
    assert not (tmp_path / "state").exists()


def test_watch_without_a_broker_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "--broker", "127.0.0.1:9"], {}) == 1
    assert "127.0.0.1:9" in capsys.readouterr().err
    assert main(["watch", "--broker", "host:many"], {}) == 2


def test_a_password_that_systemd_gives_the_service_is_not_missed_before_it_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "mien.toml"
    config.write_text(
        '[mqtt]\nhost = "broker.local"\nusername = "mien"\n'
        'password_file = "/run/credentials/mien.service/mqtt-password"\n'
    )
    environment = {"XDG_STATE_HOME": str(tmp_path)}
    assert main(["check", "--config", str(config)], environment) == 0
    assert "systemd gives it to the running service" in capsys.readouterr().out
    config.write_text(config.read_text().replace("/run/credentials/", "/nowhere/"))
    assert main(["check", "--config", str(config)], environment) == 78


@pytest.mark.parametrize(("words", "lines"), [(["check"], 1), (["check", "--debug"], None)])
def test_a_mistake_of_ours_is_one_line_unless_it_is_looked_for(
    words: list[str], lines: int | None
) -> None:
    script = (
        "import sys, device.cli.check as check; check.main = lambda *_: 1 // 0;"
        "from device.__main__ import main; sys.exit(main(sys.argv[1:], {}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "ZeroDivisionError: integer division or modulo by zero" in done.stderr
    if lines:
        assert done.stderr.startswith("mien: ZeroDivisionError")
        assert len(done.stderr.splitlines()) == lines
    else:
        assert "Traceback" in done.stderr


def test_ctrl_c_while_modules_are_imported_ends_without_a_traceback() -> None:
    """Python wraps it in other errors there, by where it comes."""
    script = (
        "import os, signal, sys, device.__main__ as mien;"
        "signal.signal(signal.SIGINT, signal.default_int_handler);"  # ignored in a background job
        "mien._parser = lambda argv: os.kill(os.getpid(), signal.SIGINT);"
        "sys.exit(mien.main(['run']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")
