"""One conversion for every model: four precisions, any inputs, any number of rows."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from device.vision.tflite import Tensor, TFLiteModel
from export.convert import convert
from export.gate import old_runtime_limit, unknown_operators
from export.parity import run_crops

CROPS = np.random.default_rng(0).integers(0, 256, (40, 48, 48), np.uint8)
PRECISIONS = ("float", "float16", "dynamic", "int8")


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A convolution and a dense layer, large enough to be quantized."""
    keras.utils.set_random_seed(0)
    pixels = keras.Input((48, 48, 1), name="pixels")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)
    x = keras.layers.Conv2D(16, 5, strides=4, activation="relu")(x)
    return keras.Model(pixels, keras.layers.Dense(7)(keras.layers.Flatten()(x)))


@pytest.fixture(scope="module")
def files(model: keras.Model) -> dict[str, bytes]:
    return {precision: convert(model, precision, CROPS) for precision in PRECISIONS}


@pytest.mark.parametrize(
    ("precision", "tolerance"),
    [("float", 1e-5), ("float16", 0.002), ("dynamic", 0.03), ("int8", 0.05)],
)
def test_each_precision_answers_as_the_model_does(
    model: keras.Model, files: dict[str, bytes], precision: str, tolerance: float
) -> None:
    expected = np.asarray(model(CROPS[..., None].astype(np.float32)))
    off = np.abs(run_crops(files[precision], CROPS) - expected).max()
    assert off <= tolerance * np.abs(expected).max()


def test_smaller_weights_make_smaller_files(files: dict[str, bytes]) -> None:
    sizes = [len(files[precision]) for precision in PRECISIONS]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[1] < 0.6 * sizes[0]
    assert sizes[2] < 0.4 * sizes[0]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_files_take_any_number_of_crops(files: dict[str, bytes], precision: str) -> None:
    model = TFLiteModel(files[precision])
    taken = np.uint8 if precision == "int8" else np.float32
    assert model.inputs == (Tensor((1, 48, 48, 1), taken),)
    assert model.outputs == (Tensor((1, 7), np.float32),)
    for number in (1, 3, 8):
        assert model.run_each(CROPS[:number, ..., None].astype(taken)).shape == (number, 7)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_older_runtime_knows_all_operators(files: dict[str, bytes], precision: str) -> None:
    assert unknown_operators(files[precision]) == []


def test_int8_without_a_calibration_set_is_a_mistake(model: keras.Model) -> None:
    with pytest.raises(ValueError, match="needs a calibration set"):
        convert(model, "int8")


def test_several_inputs_of_their_own_types_stay() -> None:
    face = keras.Input((4, 4, 1), batch_size=1, name="face", dtype="uint8")
    target = keras.Input((7,), batch_size=1, name="target", dtype="float32")
    total = keras.ops.sum(keras.ops.cast(face, "float32"), axis=(1, 2)) + target
    model = TFLiteModel(convert(keras.Model([face, target], total), "float"))
    assert set(model.inputs) == {Tensor((1, 4, 4, 1), np.uint8), Tensor((1, 7), np.float32)}


def test_an_operator_that_the_older_runtime_lacks_is_named() -> None:
    face = keras.Input((12, 12, 16), batch_size=1)
    model = keras.Model(face, keras.layers.Conv2DTranspose(8, 6, 2, padding="same")(face))
    operator = "TRANSPOSE_CONV with int8 weights and float32 input"
    content = convert(model, "dynamic")
    assert unknown_operators(content) == [operator]
    assert (
        old_runtime_limit(content)
        .complaint()
        .startswith(f"tflite-runtime 2.14 cannot run {operator}")
    )
    assert old_runtime_limit(convert(model, "float16")).complaint() == ""
