"""The commands around generators, on drawn patterns: train, resume, judge, fill up classes."""

import json
from pathlib import Path

import pytest

from device.errors import UsageError
from training.__main__ import main
from training.evaluate_gan import BEGIN, END, rewrite
from training.fer2013 import Split, read_pictures
from training.recipes import Recipe


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained classifier's run."""
    from training.classifiers import build
    from training.runs import save_weights, write_settings

    run = tmp_path_factory.mktemp("judge")
    write_settings(run, Recipe(network="expression-tiny"), {}, "classifier")
    save_weights(run / "averaged.weights.h5", build("expression-tiny"))
    return run


def test_a_smoke_training_is_resumed_judged_and_used(
    drawn: tuple[Path, Path], judge: Path, tmp_path: Path
) -> None:
    data = ["--data", str(drawn[0]), "--votes", str(drawn[1])]
    run = tmp_path / "run"
    sizes = ["--steps", "3", "--round-steps", "2", "--batch-size", "7", "--guide-steps", "1",
             "--width", "12", "--blocks", "1", "--precision", "float32"]  # fmt: skip
    assert main(["stargan", *data, "--run", str(run), *sizes]) == 0
    assert {"state.npz", "losses.csv", "losses.png", "settings.json"} <= {
        p.name for p in run.iterdir()
    }
    assert main(["stargan", "--resume", str(run)]) == 0  # nothing is left to do

    report = tmp_path / "report.md"
    report.write_text(f"# Report\n{BEGIN}\nold\n{END}\nkept\n")
    words = ["--judge", str(judge), "--split", "test", "--report", str(report)]
    assert main(["evaluate-gan", str(run), *words, *data]) == 0
    found = json.loads((run / "evaluation-test-crowd.json").read_text())
    pictures = read_pictures(*drawn).split(Split.TEST)
    assert (found["kind"], found["steps"], found["n_faces"]) == ("stargan", 3, len(pictures))
    assert found["reconstruction_ssim"] > 0.5  # three steps change little
    assert found["nearer_than_stranger"] > 0.9
    text = report.read_text()
    assert "| stargan | " in text
    assert "old" not in text
    assert text.startswith("# Report\n")
    assert text.endswith("kept\n")

    output = tmp_path / "filled"
    words = ["--judge", str(judge), "--per-class", "12", "--min-probability", "0.01"]
    assert main(["gan-augment", str(run), *words, "--output", str(output), *data]) == 0
    filled = read_pictures(output / "fer2013.csv", output / "fer2013new.csv")
    training = filled.split(Split.TRAIN)
    assert [int((training.labels == k).sum()) for k in range(7)] == [12] * 7
    assert len(filled.split(Split.TEST)) == len(pictures)
    assert (output / "accepted.png").exists()


def test_a_classifier_s_run_is_no_generator(
    judge: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate-gan", str(judge), "--judge", str(judge)]) == 2
    assert "not a generator's run" in capsys.readouterr().err


def test_a_run_is_never_overwritten(
    drawn: tuple[Path, Path], judge: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", str(drawn[0]), "--votes", str(drawn[1]), "--run", str(judge)]
    assert main(["cgan", *words]) == 2
    assert "already holds a run" in capsys.readouterr().err


def test_a_report_without_marks_is_left_alone(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    report.write_text("nothing to rewrite\n")
    with pytest.raises(UsageError, match="lacks the lines"):
        rewrite(report, "table")
    assert report.read_text() == "nothing to rewrite\n"
