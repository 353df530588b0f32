"""The chain of trainings, with tiny networks and drawn data."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

import training.__main__
from tests.training.drawn_recipes import TINY, write_recipe_file
from training.classifier import chain
from training.classifier.read_recipe import read_recipe
from training.files import MODELS
from training.runs import is_finished, read_history

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.usefixtures("untraced")


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that teaches as it is and as a pair, and one that learns from both and ships."""
    folder = tmp_path_factory.mktemp("recipes")
    write_recipe_file(folder, "old", TINY, {"old": "crowd"})
    young = replace(TINY, epochs=1, learning_rate=0.01, teacher="old", start_from="old.tflite",
                    view_teachers=("old.tflite",))  # fmt: skip
    write_recipe_file(folder, "young", young, {"young": "crowd", "young-fer2013": "fer2013"}, True)
    return folder


class Commands:
    """Runs the chain's trainings in this process; remembers all commands.

    An export copies a pair that ships instead of converting: minutes of work for these few steps'
    networks, which would not pass the gate.
    """

    def __init__(self) -> None:
        self.done: list[str] = []

    def __call__(self, words: list[str]) -> int:
        self.done.append(" ".join(Path(word).name for word in words[:3]))
        if words[0] == "training":
            with pytest.MonkeyPatch.context() as patch:  # plots and robustness: test_train.py
                patch.setattr("training.classifier.train.evaluate_run", lambda *run: [])
                return training.__main__.main(words[1:])
        options = dict(zip(words[3::2], words[4::2], strict=True))
        folder = Path(options["--models"])
        folder.mkdir(parents=True, exist_ok=True)
        for suffix in (".tflite", ".json"):
            path = folder / (options["--name"] + suffix)
            shutil.copy(ROOT / MODELS / f"expression-tiny{suffix}", path)
        return 0


class Chain:
    """``training chain`` in one folder, as often as it takes."""

    def __init__(self, recipes: Path, runs: Path, drawn: tuple[Path, Path]) -> None:
        self.words = ["--recipes", str(recipes), "--runs", str(runs), "--data", str(drawn[0]),
                      "--votes", str(drawn[1])]  # fmt: skip
        self.runs = runs

    def __call__(self, monkeypatch: pytest.MonkeyPatch, *more: str) -> tuple[int, list[str]]:
        """The exit status, and the commands that ran."""
        commands = Commands()
        monkeypatch.setattr(chain, "call", commands)
        status = training.__main__.main(["chain", *self.words, *more])
        return status, commands.done


TRAIN, RESUME = "training classifier --recipe", "training classifier --resume"
EXPORT_OLD = "export classifier old"


def interrupt_after(line_begins: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training gets a Ctrl-C once it has said this line, which follows the checkpoint."""

    def say(line: str) -> None:
        if line.startswith(line_begins):
            raise KeyboardInterrupt

    monkeypatch.setattr("training.classifier.train.say", say)


@pytest.fixture(scope="module")
def trained(
    untraced: None,
    recipes: Path,
    drawn: tuple[Path, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Chain, list[tuple[int, list[str], str]]]:
    """A chain that was interrupted in its first training; what each of three calls did."""
    whole = Chain(recipes, tmp_path_factory.mktemp("chain") / "runs", drawn)
    calls = []
    for interrupted in (True, False, False):
        with (
            pytest.MonkeyPatch.context() as patched,
            contextlib.redirect_stdout(io.StringIO()) as out,
        ):
            if interrupted:
                interrupt_after("epoch 1 ", patched)
            calls.append((*whole(patched), out))
    return whole, [(status, done, out.getvalue()) for status, done, out in calls]


Trained = tuple[Chain, list[tuple[int, list[str], str]]]


def test_says_before_it_starts_what_it_does_and_what_it_costs(trained: Trained) -> None:
    _, [(_, _, out), *_] = trained
    plan = "to do:\n  train   old, 2.0 h\n  export  old, a teacher\n  train   young, 2.0 h\n"
    assert out.startswith(plan)
    assert "together about 4.0 h, as measured on a test bench" in out
    assert "make train NETWORK=NAME, of young, young-fer2013" in out


def test_an_interrupted_training_is_resumed_and_the_rest_follows(trained: Trained) -> None:
    whole, [first, second, _] = trained
    assert first[:2] == (130, [TRAIN])
    assert second[:2] == (0, [RESUME, EXPORT_OLD, TRAIN])
    assert "train   old, 1.0 h: goes on after epoch 1 of 2" in second[2]
    assert [row["epoch"] for row in read_history(whole.runs / "old")] == [1, 2]
    assert [row["epoch"] for row in read_history(whole.runs / "young")] == [1]


def test_teachers_are_those_that_the_chain_has_made(trained: Trained) -> None:
    whole, _ = trained
    recipe = read_recipe(whole.runs / "young")
    pair = str(whole.runs / "teachers" / "old.tflite")
    assert recipe.teacher == str(whole.runs / "old")
    assert (recipe.start_from, recipe.view_teachers) == (pair, (pair,))


def test_what_is_finished_is_not_trained_again(trained: Trained) -> None:
    whole, [*_, last] = trained
    assert last[:2] == (0, [])
    assert "nothing to train" in last[2]
    assert is_finished(whole.runs / "old")


def test_teachers_of_a_finished_run_are_not_made_again(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = trained
    shutil.copytree(whole.runs / "young", tmp_path / "young")
    assert whole(monkeypatch, "--runs", str(tmp_path)) == (0, [])


def test_a_pair_older_than_its_run_is_exported_again(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = trained
    for name in ("old", "teachers"):
        shutil.copytree(whole.runs / name, tmp_path / name)
    (tmp_path / "old" / "averaged.weights.h5").touch()
    done = []

    def note(words: list[str]) -> int:
        done.append(" ".join(words[:2]))
        return 0

    monkeypatch.setattr(chain, "call", note)
    assert training.__main__.main(["chain", *whole.words, "--runs", str(tmp_path)]) == 0
    assert done == ["export classifier", "training classifier"]


def test_a_run_of_another_recipe_is_refused(
    recipes: Path, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    whole, _ = trained
    shutil.copytree(recipes, tmp_path / "recipes")
    content = json.loads((recipes / "old.json").read_text())
    content["recipe"]["epochs"] = 9
    (tmp_path / "recipes" / "old.json").write_text(json.dumps(content))
    words = ("old", "--recipes", str(tmp_path / "recipes"))
    assert whole(monkeypatch, *words) == (2, [])
    assert "old: is not a run of old.json (epochs 2, not 9)" in capsys.readouterr().err


def test_a_step_that_fails_ends_the_chain_with_its_status(
    recipes: Path, drawn: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []

    def fail(words: list[str]) -> int:
        done.append(words[0])
        return 3

    monkeypatch.setattr(chain, "call", fail)
    words = Chain(recipes, tmp_path / "runs", drawn).words
    assert training.__main__.main(["chain", *words]) == 3
    assert done == ["training"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["chain", "older"], "older: no recipe file makes it; those that ship are young, "),
        (["ship", "old"], "old does not ship; those that ship are young, young-fer2013"),
        (["ship", "young"], "no finished training; first: make train NETWORK=young"),
        (["chain", "--recipes", "{empty}"], "no recipe files here"),
        (["chain", "--data", "{empty}/none.csv"], "none.csv: no such file. Put Kaggle's"),
        (["chain", "--votes", "{empty}/none.csv"], "none.csv: no FER+ votes there"),
        (["chain"], "the networks that ship learn from the FER+ votes, too: name fer2013new.csv"),
    ],
)
def test_bad_names_are_one_line_and_nothing_is_written(
    words: list[str], said: str, recipes: Path, drawn: tuple[Path, Path], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    common = ["--recipes", str(recipes), "--runs", str(tmp_path / "runs")]
    common += ["--data", str(drawn[0])] if words[0] == "chain" else []
    own = [word.format(empty=tmp_path) for word in words[1:]]
    assert training.__main__.main([words[0], *common, *own]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""
    assert not (tmp_path / "runs").exists()


def test_recipes_that_teach_each_other_are_refused(
    drawn: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        write_recipe_file(tmp_path, name, replace(TINY, teacher=other), {name: "crowd"}, True)
    words = Chain(tmp_path, tmp_path / "runs", drawn).words
    assert training.__main__.main(["chain", *words]) == 2
    assert "is its own teacher" in capsys.readouterr().err


def test_ship_exports_each_pair_of_finished_runs(
    recipes: Path, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = trained
    done = []

    def refuse_the_first(words: list[str]) -> int:
        done.append(words)
        return int(len(done) == 1)

    monkeypatch.setattr(chain, "call", refuse_the_first)
    words = ["ship", "--recipes", str(recipes), "--runs", str(whole.runs)]
    assert training.__main__.main([*words, "--models", str(tmp_path), "--force"]) == 1
    run = str(whole.runs / "young")
    end = ["--models", str(tmp_path), "--force"]
    assert done == [
        ["export", "classifier", run, "--head", "crowd", "--name", "young", *end],
        ["export", "classifier", run, "--head", "fer2013", "--name", "young-fer2013", *end],
    ]
    done.clear()
    assert training.__main__.main([*words, "young-fer2013"]) == 1
    assert [command[6] for command in done] == ["young-fer2013"]


def test_a_signal_is_passed_on_and_the_command_saves_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slow_to_end.py").write_text(
        "import os, pathlib, signal, sys, time\n"
        "def save(number, frame):\n"
        "    time.sleep(0.5)\n"
        "    pathlib.Path('saved').touch()\n"
        "    sys.exit(130)\n"
        "signal.signal(signal.SIGTERM, save)\n"
        "os.kill(os.getppid(), signal.SIGTERM)\n"
        "time.sleep(30)\n"
    )
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        chain.call(["slow_to_end"])
    assert (tmp_path / "saved").exists()
    assert signal.getsignal(signal.SIGTERM) is before
