from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.__main__ import main
from training.gan import compare
from training.gan.fitting import GUIDE
from training.gan.recipe import LOSSES, GanRecipe, write_recipe

JUDGE = Path("device/models/expression.tflite")


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    called: list[list[str]] = []
    monkeypatch.setattr(compare, "call", lambda words: called.append(words[1:]) or 0)
    return called


def words_in(folder: Path, drawn: tuple[Path, Path]) -> list[str]:
    return ["compare-gans", "--data", str(drawn[0]), "--votes", str(drawn[1]), "--runs",
            str(folder), "--steps", "5", "--guide-steps", "2", "--faces", "700", "--judge", str(JUDGE)]  # fmt: skip


def write_run(folder: Path, kind: str, done: int | None, steps: int = 5) -> None:
    run = folder / f"{kind}-unguided"
    run.mkdir()
    recipe = GanRecipe(kind=kind, steps=steps, guide_steps=2, precision="float32",
                       losses=LOSSES[kind](lambda_guide=0.0))  # fmt: skip
    write_recipe(run, recipe, {}, "")
    if done is not None:
        np.savez(run / "state.npz", **{"progress/0": done})


def test_all_kinds_get_the_same_budget_and_are_judged_together(
    tmp_path: Path, drawn: tuple[Path, Path], called: list[list[str]]
) -> None:
    assert main(words_in(tmp_path, drawn)) == 0
    *trained, judged = called
    assert [words[0] for words in trained[::2]] == list(LOSSES)
    budgets = {tuple(words[words.index("--steps") : words.index("--lambda-guide")])
               for words in trained}  # fmt: skip
    assert len(budgets) == 1
    weights = [words[words.index("--lambda-guide") + 1] for words in trained]
    assert weights == ["4.5", "0.0"] * len(LOSSES)
    assert judged[judged.index("--faces") + 1] == "700"
    assert judged[:3] == [
        "evaluate-gan",
        *(str(tmp_path / f"stargan-{n}guided") for n in ("", "un")),
    ]


def test_what_is_finished_is_not_trained_again_and_what_is_not_goes_on(
    tmp_path: Path, drawn: tuple[Path, Path], called: list[list[str]]
) -> None:
    write_run(tmp_path, "stargan", done=5)
    write_run(tmp_path, "cgan", done=3)
    write_run(tmp_path, "wgan", done=None)
    assert main(words_in(tmp_path, drawn)) == 0
    begun = [words[:2] for words in called[:-1] if "guided" not in Path(words[-1]).name.split("-")]
    assert begun == [["stargan-plain", "--data"], ["cgan", "--resume"], ["wgan", "--resume"]]


def test_one_guide_serves_all_that_need_one(
    tmp_path: Path, drawn: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: dict[str, bool] = {}

    def train(words: list[str]) -> int:
        """The first run trains a guide that no other run would."""
        if words[1] == "evaluate-gan":
            return 0
        run = Path(words[-1])
        found[run.name] = (run / GUIDE).exists()
        run.mkdir(exist_ok=True)
        if len(found) == 1:
            (run / GUIDE).write_bytes(b"the first")
        return 0

    monkeypatch.setattr(compare, "call", train)
    assert main(words_in(tmp_path, drawn)) == 0
    assert found == {
        "stargan-guided": False, "stargan-unguided": True,
        "stargan-plain-guided": True, "stargan-plain-unguided": False,
        "cgan-guided": True, "cgan-unguided": False,
        "wgan-guided": True, "wgan-unguided": False,
    }  # fmt: skip
    assert (tmp_path / "wgan-guided" / GUIDE).read_bytes() == b"the first"


def test_a_run_of_another_budget_is_refused(
    tmp_path: Path, drawn: tuple[Path, Path], called: list[list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    write_run(tmp_path, "cgan", done=3, steps=9)
    assert main(words_in(tmp_path, drawn)) == 2
    assert "another budget" in capsys.readouterr().err
    assert not called


def test_a_judge_that_is_not_there_is_told_before_anything_is_trained(
    tmp_path: Path,
    drawn: tuple[Path, Path],
    called: list[list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = words_in(tmp_path, drawn)
    assert main([*words[:-1], str(tmp_path / "none.tflite")]) == 2
    assert "none.tflite" in capsys.readouterr().err
    assert not called
