from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from device.errors import ModelError
from device.vision.tflite import PACKAGES, Tensor, TFLiteModel, dequantized, load_runtime

GOLDEN = Path(__file__).parents[2] / "golden"
BRIGHTNESS = (GOLDEN / "brightness.tflite").read_bytes()
STEPS = (GOLDEN / "steps.tflite").read_bytes()
CROP = Tensor((1, 48, 48, 1), np.uint8)


def bright(number: int) -> np.ndarray:
    levels = np.linspace(0, 255, number).astype(np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (number, 48, 48, 1))


def test_inputs_and_outputs_come_in_the_order_that_the_caller_wants() -> None:
    target, flow = Tensor((1, 7), np.float32), Tensor((1, 48, 48, 2), np.float32)
    one = TFLiteModel(STEPS, [CROP, target], [CROP, flow])
    other = TFLiteModel(STEPS, [target, CROP], [flow, CROP])
    crop, wanted = bright(3)[1:2], np.eye(7, dtype=np.float32)[3:4]
    for a, b in zip(one.run(crop, wanted), reversed(other.run(wanted, crop)), strict=True):
        assert np.array_equal(a, b)
    assert one.outputs == (CROP, flow)


def test_without_a_wish_the_file_says_what_it_takes() -> None:
    model = TFLiteModel(BRIGHTNESS)
    assert model.inputs == (CROP,)
    assert [tensor.shape for tensor in model.outputs] == [(1, 7)]


@pytest.mark.parametrize("number", [1, 2, 3, 8, 9, 21])
def test_a_batch_gives_what_single_rows_give(number: int) -> None:
    model = TFLiteModel(BRIGHTNESS)
    rows = bright(number)
    together = model.run_each(rows)
    assert together.shape == (number, 7)
    assert together.dtype == np.float32
    for row, answer in zip(rows, together, strict=True):
        assert answer == pytest.approx(model.run(row[None])[0][0])


def test_an_answer_stays_when_the_model_runs_again() -> None:
    model = TFLiteModel(BRIGHTNESS)
    [dark] = model.run(bright(2)[:1])
    before = dark.copy()
    model.run(bright(2)[1:])
    assert np.array_equal(dark, before)


def test_quantized_numbers_are_turned_into_what_they_stand_for() -> None:
    stored = np.array([-128, 0, 127], np.int8)
    assert dequantized(stored, 0.5, -128).tolist() == [0.0, 64.0, 127.5]
    assert dequantized(stored, 0.0, 0).dtype == np.int8


@pytest.mark.parametrize(
    ("takes", "gives", "words"),
    [
        ([Tensor((1, 64, 64, 1), np.uint8)], [], r"takes uint8 \(1, 48, 48, 1\), not uint8"),
        ([CROP], [Tensor((1, 10))], r"gives float32 \(1, 7\), not \(1, 10\)"),
        ([CROP, CROP], [], "takes"),
    ],
)
def test_a_model_of_another_contract_is_refused(
    takes: list[Tensor], gives: list[Tensor], words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        TFLiteModel(BRIGHTNESS, takes, gives)


@pytest.mark.parametrize("content", [b"", b"not a model", BRIGHTNESS[:200]])
def test_damaged_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(ModelError, match=r"TFLite|batch"):
        TFLiteModel(content)


def test_a_runtime_that_is_not_installed_is_named() -> None:
    with pytest.raises(ModelError, match="tflite_nobody is not installed"):
        load_runtime("tflite_nobody")


def test_no_runtime_is_tensorflow() -> None:
    assert not [name for name in PACKAGES if "tensorflow" in name]
