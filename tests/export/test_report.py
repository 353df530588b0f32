"""The report needs converted files, so it is tested beside the export."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from export.__main__ import main as export_main
from training.__main__ import main
from training.reports.text import recipe_in_words


def test_the_report_is_generated_from_what_was_measured(
    drawn_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models, folder = tmp_path / "models", drawn_run.parent
    assert export_main(["classifier", str(drawn_run), "--models", str(models)]) == 0
    data = ["--data", str(folder / "fer2013.csv"), "--votes", str(folder / "fer2013new.csv")]
    words = [*data, "--models", str(models), "--hog", str(tmp_path / "none.npz")]
    output = tmp_path / "docs" / "results.md"
    assert main(["report", *words, "--output", str(output)]) == 0
    capsys.readouterr()

    facts = json.loads(output.with_suffix(".json").read_text())
    (result,) = facts["results"]
    text = output.read_text()
    assert f"| {result['protocols']['fer2013']['accuracy'] * 100:.1f} % |" in text
    assert "expression-tiny (crowd head)" in text
    assert str(tmp_path) not in text
    assert "## How our files were made" in text
    for name in ("robustness.png", "confusion-expression-tiny.png"):
        assert (output.parent / "img" / name).exists()
        assert f"(img/{name})" in text

    pair = models / "expression-tiny.tflite"
    assert main(["evaluate-peers", *words, "--pair", str(pair)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("expression-tiny (crowd head): fer2013") == 2  # shipped, and named
    assert sorted(path.name for path in models.iterdir()) == [
        "expression-tiny.json",
        "expression-tiny.tflite",
    ]


def test_a_run_that_does_not_ship_is_measured_as_a_float_model(
    drawn_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(drawn_run.parent / "fer2013.csv")]
    nothing = ["--models", str(tmp_path), "--hog", str(tmp_path / "none.npz")]
    assert main(["evaluate-peers", *data, *nothing, "--pair", str(drawn_run)]) == 0
    assert capsys.readouterr().out.startswith("expression-tiny (fer2013 head, float): fer2013 ")

    (tmp_path / "template.md").write_text("{table_2}")
    (tmp_path / "results.json").write_text('{"results": []}')
    words = ["--folder", str(tmp_path), "--results", str(tmp_path / "results.json")]
    output = ["--output", str(tmp_path / "paper.md")]
    assert main(["paper", *data, *words, *output, "--pair", str(drawn_run)]) == 0
    both = json.loads((tmp_path / "both-splits.json").read_text())
    assert {"expression (crowd head)", "expression-tiny (fer2013 head, float)"} <= set(
        both["results"]
    )
    assert f"--pair {drawn_run.name}" in both["command"]

    assert main(["evaluate-peers", *data, *nothing, "--pair", str(tmp_path / "nosuch")]) == 2
    assert "nosuch" in capsys.readouterr().err


def test_a_peer_that_is_not_there_is_named(
    drawn_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", str(drawn_run.parent / "fer2013.csv"), "--models", str(tmp_path)]
    assert main(["evaluate-peers", *words, "--peer", str(tmp_path / "fer.tflite")]) == 2
    assert "fer.tflite: cannot read the model" in capsys.readouterr().err


def test_what_is_not_measured_again_can_be_kept_and_is_marked(
    drawn_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models, folder = tmp_path / "models", drawn_run.parent
    assert export_main(["classifier", str(drawn_run), "--models", str(models)]) == 0
    output = tmp_path / "docs" / "results.md"
    words = ["report", "--data", str(folder / "fer2013.csv"), "--models", str(models),
             "--hog", str(tmp_path / "none.npz"), "--output", str(output), "--keep"]  # fmt: skip
    assert main(words) == 2
    assert "no earlier report to keep anything of" in capsys.readouterr().err
    assert main(words[:-1]) == 0

    path = output.with_suffix(".json")
    facts = json.loads(path.read_text())
    facts["results"].insert(0, facts["results"][0] | {"name": "another (crowd head)"})
    path.write_text(json.dumps(facts | {"date": "2020-02-20", "git_revision": "abc"}))
    for _ in range(2):  # the second time what was kept is kept
        assert main(words) == 0
        kept, measured = json.loads(path.read_text())["results"]
        assert kept["earlier"] == {"date": "2020-02-20", "git_revision": "abc"}
        assert "earlier" not in measured
        text = output.read_text()
        assert "| another (crowd head) \\* |" in text
        assert "measured on 2020-02-20 (revision abc)" in text
        assert "| expression-tiny (crowd head) |" in text


def test_a_training_is_told_from_another_in_words() -> None:
    recipe = {"network": "paper", "seed": 1, "teacher": "", "view_teachers": []}
    assert recipe_in_words(recipe) == "paper, seed 1"
    taught = {"start_from": "a.tflite", "view_teachers": ["b.tflite"], "learn_validation": 0.8}
    assert recipe_in_words({**recipe, **taught}) == (
        "paper, seed 1, begun from a, taught by b, 80% of validation learnt too"
    )
