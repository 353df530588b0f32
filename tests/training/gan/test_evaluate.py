"""The commands around generators, on drawn patterns: train, resume, judge, fill up classes."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from device.errors import UsageError
from training.__main__ import main
from training.classifier.recipe import Recipe
from training.data.fer2013 import Split, read_pictures
from training.gan.evaluate import sample
from training.gan.recipe import GanRecipe, write_recipe
from training.gan.tables import BEGIN, END


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained classifier's run."""
    from training.classifier.networks import build
    from training.runs import write_settings

    run = tmp_path_factory.mktemp("judge")
    write_settings(run, asdict(Recipe(network="expression-tiny")), {}, "classifier")
    build("expression-tiny").save_weights(run / "averaged.weights.h5")
    return run


def test_a_smoke_training_is_resumed_judged_and_used(
    drawn: tuple[Path, Path],
    judge: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
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
    for words, reason in (
        (["stargan", "--lambda-guide", "9"], "--lambda-guide belongs to a run's beginning"),
        (["stargan", "--data", "other.csv"], "--data belongs to a run's beginning"),
        (["cgan"], "is a run of stargan"),
    ):
        assert main([*words, "--resume", str(run)]) == 2
        assert reason in capsys.readouterr().err

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
    counts = np.bincount(pictures.crowd().argmax(axis=1), minlength=7).tolist()
    assert f"| real faces, n | {' | '.join(map(str, counts))} |" in text
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
    assert main(["gan-augment", str(run), *words, "--output", str(output), *data]) == 2
    assert "already there" in capsys.readouterr().err
    alone = [*words, "--alone", "--output", str(tmp_path / "alone"), *data]
    assert main(["gan-augment", str(run), *alone]) == 0
    made = read_pictures(tmp_path / "alone/fer2013.csv", tmp_path / "alone/fer2013new.csv")
    training = made.split(Split.TRAIN)
    assert [int((training.labels == k).sum()) for k in range(7)] == [12] * 7
    real = read_pictures(*drawn).split(Split.TRAIN)
    assert not {p.tobytes() for p in training.pixels} & {p.tobytes() for p in real.pixels}
    assert len(made.split(Split.TEST)) == len(pictures)


def test_a_classifier_s_run_is_no_generator(
    judge: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate-gan", str(judge), "--judge", str(judge)]) == 2
    assert "not a generator's run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--faces", "2"], "--faces 2: 0 for all, or at least 14"),
        (["--seed", "-1"], "--seed -1"),
        (["--report", "absent.md"], "absent.md: cannot read"),
    ],
)
def test_what_cannot_be_judged_is_said_before_anything_is(
    words: list[str], reason: str, judge: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate-gan", str(judge), "--judge", str(judge), *words]) == 2
    assert reason in capsys.readouterr().err


def test_the_rest_are_the_faces_that_nobody_has_looked_at(drawn: tuple[Path, Path]) -> None:
    pictures = read_pictures(*drawn).split(Split.TRAIN)
    some, rest = (sample(pictures, "fer2013", 10, 1, rest=rest) for rest in (False, True))
    everything = sample(pictures, "fer2013", 0, 1)
    assert len(some) == 10
    assert sorted([*some.names, *rest.names]) == sorted(everything.names)
    with pytest.raises(UsageError, match="--rest"):
        sample(pictures, "fer2013", 0, 1, rest=True)


def test_a_generator_s_run_is_no_teacher_and_no_judge(
    drawn: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_recipe(tmp_path, GanRecipe(), {}, "test")
    data = ["--data", str(drawn[0]), "--votes", str(drawn[1])]
    words = ["classifier", *data, "--run", str(tmp_path / "run"), "--teacher", str(tmp_path)]
    assert main(words) == 2
    assert "not a classifier's run" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
