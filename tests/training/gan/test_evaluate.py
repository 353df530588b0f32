"""The commands around generators, on drawn patterns: train, resume, judge, fill up classes."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from device.errors import UsageError
from training.__main__ import main
from training.classifier.recipe import Recipe
from training.data.fer2013 import Split, read_pictures
from training.gan import augment as augment_with_gan
from training.gan.evaluate import BEGIN, END, rewrite, sample
from training.gan.judging import Judge
from training.gan.recipe import GanRecipe, write_recipe


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained classifier's run."""
    from training.classifier.networks import build
    from training.runs import write_settings

    run = tmp_path_factory.mktemp("judge")
    write_settings(run, Recipe(network="expression-tiny"), {}, "classifier")
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


def test_a_report_without_marks_is_left_alone(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    report.write_text("nothing to rewrite\n")
    with pytest.raises(UsageError, match="lacks the lines"):
        rewrite(report, "table")
    assert report.read_text() == "nothing to rewrite\n"


def test_the_rest_are_the_faces_that_nobody_has_looked_at(drawn: tuple[Path, Path]) -> None:
    pictures = read_pictures(*drawn).split(Split.TRAIN)
    some, rest = (sample(pictures, "fer2013", 10, 1, rest=rest) for rest in (False, True))
    everything = sample(pictures, "fer2013", 0, 1)
    assert len(some) == 10
    assert sorted([*some.names, *rest.names]) == sorted(everything.names)
    with pytest.raises(UsageError, match="--rest"):
        sample(pictures, "fer2013", 0, 1, rest=True)


def test_only_faces_that_convince_the_judge_are_added(
    drawn: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = read_pictures(*drawn).split(Split.TRAIN)
    made = np.arange(64 * 48 * 48, dtype=np.uint32).reshape(64, 48, 48).astype(np.uint8)
    made[:, 0, 0] = np.arange(64)
    monkeypatch.setattr(augment_with_gan, "synthesize", lambda *a: made)

    def logits(pixels: np.ndarray) -> np.ndarray:
        """Every other face is sure by 0.9, the others by 0.5, at the judge's temperature."""
        sure = np.where(pixels[:, 0, 0] % 2, 0.9, 0.5)
        values = np.repeat(np.log((1 - sure) / 6)[:, None], 7, axis=1)
        values[:, 2] = np.log(sure)
        return (values * 3.0).astype(np.float32)

    judge = Judge("wise", "1", "crowd", logits, logits, temperature=3.0, prior=np.full(7, 1 / 7))
    arguments = argparse.Namespace(min_probability=0.6)
    chance = np.random.default_rng(1)
    kept = augment_with_gan.accepted(None, judge, pictures, 2, 20, arguments, chance)
    assert len(kept) == 20
    assert (kept[:, 0, 0] % 2 == 1).all()


def test_a_generator_s_run_is_no_teacher_and_no_judge(
    drawn: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_recipe(tmp_path, GanRecipe(), {}, "test")
    data = ["--data", str(drawn[0]), "--votes", str(drawn[1])]
    words = ["classifier", *data, "--run", str(tmp_path / "run"), "--teacher", str(tmp_path)]
    assert main(words) == 2
    assert "not a classifier's run" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_generator_too_large_is_refused_before_its_guide_is_trained(
    drawn: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(drawn[0]), "--votes", str(drawn[1])]
    words = ["stargan", *data, "--run", str(tmp_path / "run"), "--width", "400"]
    assert main(words) == 2
    assert "--width 400" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
