"""The whole way of a generator: smoke training, judging, export, the device's own loader."""

import json
from pathlib import Path

import numpy as np
import pytest

from device.errors import MienError
from device.vision.synthesizer import Synthesizer
from device.vocabulary import Expression
from export import generator as export_generator
from export.card import drawn_face
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


def export(run: Path, models: Path) -> int:
    import argparse

    parser = argparse.ArgumentParser()
    export_generator.add_arguments(parser.add_subparsers())
    arguments = parser.parse_args(["generator", str(run), "--models", str(models)])
    return int(arguments.run(arguments, "generator RUN"))


def test_evaluations_of_earlier_steps_are_left_out(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = steps_done(run)
    for name, of in (("test", steps), ("validation", steps + 1)):
        (run / f"evaluation-{name}-crowd.json").write_text(json.dumps({"steps": of}))
    assert set(export_generator.evaluations_of(run)) == {"evaluation-test-crowd"}
    assert "validation-crowd.json: left out" in capsys.readouterr().out
    for path in run.glob("evaluation-*.json"):
        path.unlink()


def test_the_exported_pair_is_what_the_device_takes(run: Path, tmp_path: Path) -> None:
    assert export(run, tmp_path) == 0
    assert {p.name for p in tmp_path.iterdir()} == {"generator.tflite", "generator.json"}
    card = json.loads((tmp_path / "generator.json").read_text(encoding="utf-8"))
    assert card["task"] == "synthesize"
    assert card["parity"]["psnr_db"] >= 30
    assert card["parity"]["bytes"] == (tmp_path / "generator.tflite").stat().st_size
    assert card["run"]["recipe"]["kind"] == "cgan"
    synthesizer = Synthesizer.load(tmp_path / "generator.tflite")
    face = drawn_face()
    network = export_generator.load_network(run)
    expected, moved = export_generator.translate_by_keras(network, face[None])
    made, flow = synthesizer.run(face, Expression.HAPPY)
    np.testing.assert_allclose(flow, moved[3], atol=0.4)
    assert card["parity"]["flow_off_px"] <= 0.1
    assert len(card["golden"][0]["flow"]) == 48 * 48 * 2 * 2 * 4 // 3  # float16 in base64
    assert np.abs(flow).max() > 1
    assert export_generator.psnr_db(made[None], expected[3:4]) > 30
    assert np.abs(made.astype(int) - face).mean() > 2  # it does something
    other, _ = synthesizer.run(face, Expression.SAD)
    assert np.abs(made.astype(int) - other).mean() > 1  # and the target matters


def test_a_generator_unlike_its_float_self_is_not_written(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_generator, "MIN_PSNR_DB", 98.0)
    with pytest.raises(MienError, match=r"not fit for the device .*PSNR"):
        export(run, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_complaints_name_what_is_missed() -> None:
    good = {"bytes": 1_400_000, "psnr_db": 30.5, "flow_off_px": 0.05, "ms_a_face": 9.9}
    assert export_generator.complaints_about(good) == []
    bad = {"bytes": 1_600_000, "psnr_db": 29.0, "flow_off_px": 0.2, "ms_a_face": 11.0}
    size, likeness, movement, pace = export_generator.complaints_about(bad)
    assert "1,600,000 bytes" in size
    assert "PSNR 29.0" in likeness
    assert "flow off by 0.2 px" in movement
    assert "11.0 ms" in pace


def test_the_budget_of_parameters_fits_the_budget_of_bytes() -> None:
    assert MAX_PARAMETERS <= export_generator.MAX_BYTES
