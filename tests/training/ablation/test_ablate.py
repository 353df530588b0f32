"""The ablation with a tiny network on drawn patterns."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

import training.__main__
from training.ablation import ablate
from training.ablation.ablate import summarize
from training.ablation.variants import folder_name, variants_of
from training.classifier import train
from training.classifier.metrics import scores, truth_of
from training.classifier.read_recipe import read_recipe
from training.classifier.recipe import recipe_for
from training.classifier.trained import load_network, predict
from training.data.extended import write_csv_pair
from training.data.fer2013 import Pictures, Split, read_pictures
from training.files import write_json
from training.reports.ablation import ablation_part
from training.runs import is_finished

pytestmark = pytest.mark.usefixtures("untraced")


def measure(run: Path, pictures: Pictures, split: Split) -> list[str]:
    """What ``training evaluate`` writes of the FER2013 head, without its plots."""
    chosen = pictures.split(split)
    logits = predict(load_network(run), chosen.pixels)["fer2013"]
    truths = {protocol: truth_of(chosen, protocol) for protocol in ("fer2013", "majority")}
    measured = {p: scores(logits[t.chosen], t.labels) for p, t in truths.items()}
    facts = {"parameters": 69657, "fer2013": measured}
    write_json(run / f"metrics-{split.name.lower()}.json", facts)
    return []


class Commands:
    """Runs the commands in this process; remembers them. Can fail before one of them."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.fails_at = 99

    def __call__(self, words: list[str]) -> int:
        if len(self.done) == self.fails_at:
            return 3
        self.done.append(" ".join(words[1:]))
        with pytest.MonkeyPatch.context() as patch:
            for module in ("train", "evaluate"):
                patch.setattr(f"training.classifier.{module}.evaluate_run", measure)
            return training.__main__.main(words[1:])


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    commands = Commands()
    monkeypatch.setattr(ablate, "call", commands)
    return commands


def words_in(folder: Path, drawn: tuple[Path, Path], *more: str) -> list[str]:
    return ["ablate", "--data", str(drawn[0]), "--votes", str(drawn[1]), "--network",
            "expression-tiny", "--epochs", "1", "--seeds", "2", "--runs", str(folder / "runs"),
            "--output", str(folder / "ablation.json"), *more]  # fmt: skip


def test_every_variant_changes_the_recipe_in_one_thing() -> None:
    recipe = recipe_for("expression")
    variants = variants_of(recipe, has_votes=True)
    assert {"base", "nothing removed", "without flip", "without erasing", "class weights",
            "class oversampling", "pixels from 0 to 255"} <= set(variants)  # fmt: skip
    parser = argparse.ArgumentParser()
    train.add_arguments(parser.add_subparsers())
    recipes = []
    for _, options in variants.values():
        arguments = parser.parse_args(["classifier", "--network", "expression", *options])
        recipes.append(train.recipe_of(arguments))
    assert recipes[0] == recipe
    assert all(recipes.count(one) == 1 for one in recipes)


def test_a_group_can_be_chosen(
    tmp_path: Path, drawn: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    words = words_in(tmp_path, drawn, "--only", "base", "--only", "balance", "--list")
    assert training.__main__.main(words) == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed == ["base", "balance: class weights", "balance: class oversampling"]


def test_what_changes_nothing_or_needs_votes_is_left_out() -> None:
    variants = variants_of(recipe_for("paper"), has_votes=False)
    assert "without erasing" not in variants  # the paper's network has none
    assert "relabelled by clear FER+ votes" not in variants
    assert folder_name("without low-resolution", 2) == "without-low-resolution-2"


def test_mean_and_spread_over_the_seeds() -> None:
    one, other = (
        {
            "fer2013": {
                "n": 9,
                "accuracy": a,
                "macro_f1": 0.5,
                "balanced_accuracy": 0.5,
                "classes": {"disgust": {"f1": a / 2}, "fear": {"f1": 0.4}},
            }
        }
        for a in (0.6, 0.65)
    )
    summary = summarize([one, other])["fer2013"]
    assert summary["accuracy"] == {"seeds": [0.6, 0.65], "mean": 0.625, "spread": 0.05}
    assert summary["n"] == 9
    assert summary["disgust_f1"]["seeds"] == [0.3, 0.325]


def test_it_goes_on_where_it_was_and_measures_the_test_split_once(
    tmp_path: Path, drawn: tuple[Path, Path], commands: Commands
) -> None:
    words = words_in(tmp_path, drawn, "--only", "base", "--only", "class weights")
    commands.fails_at = 1
    assert training.__main__.main(words) == 1
    half = json.loads((tmp_path / "ablation.json").read_text())
    assert ["validation" in row for row in half["variants"]] == [True, False]
    assert "(one seed)" in ablation_part(half, tmp_path / "ablation.png")
    commands.fails_at = 99
    assert training.__main__.main([*words, "--test"]) == 0
    trained = [done for done in commands.done if done.startswith("classifier")]
    assert [done.rsplit("/", 1)[1] for done in trained] == [
        "base-1", "class-weights-1", "base-2", "class-weights-2",
    ]  # fmt: skip
    assert all("evaluate" in done for done in commands.done[4:])  # at the very end
    assert sum("--balance weights" in done for done in trained) == 2
    assert read_recipe(tmp_path / "runs/class-weights-2").balance == "weights"
    assert is_finished(tmp_path / "runs/base-1")
    before = len(commands.done)
    assert training.__main__.main([*words, "--test"]) == 0
    assert len(commands.done) == before
    numbers = json.loads((tmp_path / "ablation.json").read_text())
    for row in numbers["variants"]:
        assert len(row["validation"]["fer2013"]["accuracy"]["seeds"]) == 2
        assert row["test"]["majority"]["n"] > 0
    text = ablation_part(numbers, tmp_path / "ablation.png")
    assert "| balance | class weights | `--balance weights` |" in text
    n = numbers["variants"][0]["validation"]["fer2013"]["n"]
    assert "`expression-tiny` (69,657 weights), 1 epoch, 2 seeds each" in text
    assert f"PublicTest: n = {n} by FER2013's labels and" in text
    assert "own recipe has 70 epochs" in text
    assert (tmp_path / "ablation.png").stat().st_size > 1000


def test_a_run_of_other_options_and_an_unknown_variant_are_named(
    tmp_path: Path, drawn: tuple[Path, Path], commands: Commands,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    words = words_in(tmp_path, drawn, "--seeds", "1", "--only", "base")
    assert training.__main__.main([*words, "--epochs", "2"]) == 0
    for epochs in ("1", "3"):  # 1 stands in the other's command, too: its seed
        assert training.__main__.main([*words, "--epochs", epochs]) == 2
        assert "begun with other options" in capsys.readouterr().err
    assert training.__main__.main([*words, "--only", "nonsense"]) == 2
    assert "known are base" in capsys.readouterr().err


def test_variants_trained_by_several_commands_stand_in_one_table(
    tmp_path: Path, drawn: tuple[Path, Path], commands: Commands
) -> None:
    words = words_in(tmp_path, drawn, "--seeds", "1")
    assert training.__main__.main([*words, "--only", "class weights"]) == 0
    assert training.__main__.main([*words, "--only", "base"]) == 0
    assert training.__main__.main([*words, "--only", "base"]) == 0
    assert len(commands.done) == 2
    rows = json.loads((tmp_path / "ablation.json").read_text())["variants"]
    assert [(row["name"], "validation" in row) for row in rows] == [
        ("base", True), ("class weights", True),
    ]  # fmt: skip
    assert all(row["pictures"] > 0 for row in rows)


def test_other_pictures_are_a_variant(
    tmp_path: Path, drawn: tuple[Path, Path], commands: Commands,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder = tmp_path / "filled"
    words = words_in(tmp_path, drawn, "--seeds", "1", "--also", f"real and more={folder}")
    assert training.__main__.main(words) == 2
    assert "real and more: " in (told := capsys.readouterr().err)
    assert "fer2013.csv is not there" in told
    assert training.__main__.main(words_in(tmp_path, drawn, "--also", "nothing")) == 2
    assert "must be NAME=FOLDER" in capsys.readouterr().err
    write_csv_pair(read_pictures(*drawn), folder)
    assert training.__main__.main([*words, "--only", "real and more"]) == 0
    settings = json.loads((tmp_path / "runs/real-and-more-1/settings.json").read_text())
    assert Path(settings["data"]["path"]).parent.name == "filled"
    numbers = json.loads((tmp_path / "ablation.json").read_text())
    text = ablation_part(numbers, tmp_path / "ablation.png")
    assert "| pictures | real and more | `--also 'real and more=filled'` |" in text
    assert str(tmp_path) not in text


def test_the_page_says_how_to_run_it(tmp_path: Path) -> None:
    assert "`python -m training ablate" in ablation_part(None, tmp_path / "none.png")
