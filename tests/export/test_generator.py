"""The whole way of a generator: smoke training, judging, export, the device's own loader."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from device.vision.model_card import ModelCard, read_model
from device.vision.synthesizer import Synthesizer
from device.vocabulary import Expression
from export import generator as export_generator
from export import likeness
from export.__main__ import main
from export.card import drawn_face
from export.gate import size_limit, time_limit, unknown_operators
from export.likeness import Likeness
from tests.training.drawn import drawn_rows, write_csv
from training.gan.generator import MAX_PARAMETERS
from training.gan.recipe import CganLosses, GanRecipe, write_recipe
from training.gan.translation import steps_done

TINY = GanRecipe(kind="cgan", width=12, blocks=1, losses=CganLosses())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained generator with a change that can be seen."""
    from training.gan.cgan import Cgan
    from training.gan.generator import GeneratorSettings

    folder = tmp_path_factory.mktemp("gan")
    data = write_csv(folder / "fer2013.csv", drawn_rows(per_kind=6))
    model = Cgan(num_steps=1, size=GeneratorSettings(TINY.width, TINY.blocks))
    random = np.random.default_rng(1)
    for weight in model.mean_generator.trainable_weights:
        if not np.asarray(weight).any():  # where the target enters
            weight.assign(random.normal(0, 0.5, weight.shape))
    paint = model.mean_generator.get_layer("paint")
    paint.kernel.assign(np.asarray(paint.kernel) * 10)
    move = model.mean_generator.get_layer("move")
    move.kernel.assign(random.normal(0, 0.1, move.kernel.shape))
    model.save_checkpoint(folder / "state.npz")
    write_recipe(folder, TINY, {"path": str(data), "votes": ""}, "cgan")
    return folder


@pytest.fixture(scope="module")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("models")
    assert main(["generator", str(run), "--models", str(models)]) == 0
    return models / "generator.tflite"


def test_evaluations_of_earlier_steps_are_left_out(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = steps_done(run)
    for name, of in (("test", steps), ("validation", steps + 1)):
        (run / f"evaluation-{name}-crowd.json").write_text(json.dumps({"steps": of}))
    assert set(export_generator.evaluations_of(run)) == {"evaluation-test-crowd"}
    assert "validation-crowd.json: left out" in capsys.readouterr().out
    for path in run.glob("evaluation-*.json"):
        path.unlink()


def test_the_exported_pair_is_what_the_device_takes(run: Path, exported: Path) -> None:
    names = {path.name for path in exported.parent.iterdir()}
    assert names == {"generator.tflite", "generator.json"}
    card = json.loads(exported.with_suffix(".json").read_text(encoding="utf-8"))
    assert card["task"] == "synthesize"
    assert card["parity"]["weights"] == "float16"
    assert card["parity"]["psnr_db"] >= 30
    assert card["parity"]["flow_off_px"] <= 0.1
    assert card["parity"]["bytes"] == exported.stat().st_size
    assert card["run"]["recipe"]["kind"] == "cgan"
    assert len(card["golden"][0]["flow"]) == 48 * 48 * 2 * 2 * 4 // 3  # float16 in base64
    synthesizer = Synthesizer.load(exported)
    face = drawn_face()
    model = export_generator.from_run(run).model
    expected, moved = likeness.translate_by_keras(model, face[None])
    made, flow = synthesizer.run(face, Expression.HAPPY)
    np.testing.assert_allclose(flow, moved[3], atol=0.4)
    assert np.abs(flow).max() > 1
    assert likeness.psnr_db(made[None], expected[3:4]) > 30
    assert np.abs(made.astype(int) - face).mean() > 2  # it does something
    other, _ = synthesizer.run(face, Expression.SAD)
    assert np.abs(made.astype(int) - other).mean() > 1  # and the target matters


def test_the_file_has_no_operator_that_the_older_runtime_lacks(exported: Path) -> None:
    assert unknown_operators(exported.read_bytes()) == []


def test_a_pair_is_converted_anew_without_its_run(
    run: Path, exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(run / "fer2013.csv")]
    assert main(["generator", str(exported), *data, "--models", str(tmp_path)]) == 0
    assert "which is in place" not in capsys.readouterr().out
    content, card = read_model(tmp_path / "generator.tflite")
    old, before = read_model(exported)
    assert card.facts["run"] == before.facts["run"]
    assert card.facts["rebuilt"]["from"] == before.version
    assert card.facts["rebuilt"]["parity"]["psnr_db"] > 50
    face = drawn_face()[None]
    both = [likeness.translate_by_tflite(c, face) for c in (old, content)]
    assert likeness.likeness(both[1], both[0]).psnr_db > 50


def test_a_generator_unlike_its_float_self_is_not_written(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(likeness, "MIN_PSNR_DB", 99.5)
    models = tmp_path / "models"
    assert main(["generator", str(run), "--models", str(models)]) == 1
    assert "PSNR" in capsys.readouterr().err
    assert not models.exists()


def test_a_generator_that_the_judge_likes_less_is_refused_unless_forced(
    run: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from export import opinion

    models = tmp_path / "models"
    shutil.copytree(exported.parent, models)
    before = exported.read_bytes()
    asked: list[int] = []

    def answers(content: bytes, pixels: np.ndarray) -> np.ndarray:
        """The new file's results are named wrong, the old file's right."""
        asked.append(len(pixels))
        targets = np.tile(np.arange(7), len(pixels) // 7)
        return np.eye(7, dtype=np.float32)[(targets + (len(asked) % 2)) % 7] * 100

    monkeypatch.setattr(opinion, "run_crops", answers)
    words = ["generator", str(run), "--models", str(models)]
    assert main(words) == 1
    refusal = capsys.readouterr().err
    assert "results that expression names as asked, on validation, is 0.00%" in refusal
    assert "has 100.00% on the same" in refusal
    assert "--force" in refusal
    assert (models / "generator.tflite").read_bytes() == before
    assert main([*words, "--force"]) == 0


def test_the_complaints_name_what_is_missed() -> None:
    good = [*Likeness(30.5, 0.05, 0.2, 7).limits(), size_limit(b"x" * 14, 15), time_limit(9.9, 10)]
    assert [limit.complaint() for limit in good] == [""] * 4
    bad = [*Likeness(29.0, 0.2, 0.4, 7).limits(), size_limit(b"x" * 16, 15), time_limit(11.0, 10)]
    like, movement, size, pace = (limit.complaint() for limit in bad)
    assert "16 bytes" in size
    assert "PSNR 29.0" in like
    assert "flow off by 0.2 px" in movement
    assert "11.00 ms" in pace


def test_the_budget_of_parameters_fits_the_budget_of_bytes() -> None:
    assert MAX_PARAMETERS <= export_generator.MAX_BYTES


def test_a_face_s_figure_is_the_share_of_targets_named_as_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from export import opinion

    answers = np.eye(7, dtype=np.float32)[[0, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0, 0]]
    monkeypatch.setattr(opinion, "run_crops", lambda content, pixels: answers)
    monkeypatch.setattr(opinion, "translate_by_tflite", lambda content, crops: (crops, crops))
    card = ModelCard("judge", "1", "classify", "")
    judge: Any = (SimpleNamespace(content=b""), card)
    against = opinion.comparison_before(judge, b"new", np.zeros((2, 48, 48), np.uint8))
    found = against(b"old", ModelCard("generator", "1", "synthesize", ""))
    assert found is not None
    np.testing.assert_allclose(found.new, [1.0, 1 / 7])
    assert against(b"old", card) is None
