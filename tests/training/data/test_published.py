"""A published network is read from its manifest and answers in our order."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from device.errors import UsageError
from training.data.published import MANIFEST, load_published, read_weights

WIDTHS = (4, 4, 8, 8)


def write_network(folder: Path, bias: list[float]) -> None:
    """A network of the same layers, narrow, whose answer is its last bias."""
    random = np.random.default_rng(0)
    entries: list[dict[str, object]] = []
    content = b""

    def add(name: str, values: np.ndarray, quantized: bool) -> None:
        nonlocal content
        entry: dict[str, object] = {"name": name, "shape": list(values.shape), "dtype": "float32"}
        if quantized:
            entry["quantization"] = {"dtype": "uint8", "scale": 0.01, "min": -1.28}
            content += random.integers(100, 150, values.shape).astype(np.uint8).tobytes()
        else:
            content += values.astype(np.float32).tobytes()
        entries.append(entry)

    before = 3
    for block, width in enumerate(WIDTHS):
        for number in range(4):
            name, seen = f"dense{block}/conv{number}", width if number else before
            if block == 0 and number == 0:
                add(f"{name}/filters", np.zeros((3, 3, seen, width)), True)
            else:
                add(f"{name}/depthwise_filter", np.zeros((3, 3, seen, 1)), True)
                add(f"{name}/pointwise_filter", np.zeros((1, 1, seen, width)), True)
            add(f"{name}/bias", np.zeros(width), False)
        before = width
    add("fc/weights", np.zeros((before, 7)), False)
    add("fc/bias", np.array(bias), False)
    (folder / "weights.bin").write_bytes(content)
    (folder / MANIFEST).write_text(json.dumps([{"weights": entries, "paths": ["weights.bin"]}]))


def test_its_probabilities_stand_in_our_order(tmp_path: Path) -> None:
    theirs = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]  # neutral happy sad angry fear disgust surprise
    write_network(tmp_path, theirs)
    ask = load_published(tmp_path)
    answer = ask(np.full((3, 48, 48), 90, np.uint8))
    assert answer.shape == (3, 7)
    assert np.log(answer[0] / answer[0, 6]).round(3).tolist() == [3.0, 5.0, 4.0, 1.0, 2.0, 6.0, 0.0]


def test_quantized_weights_are_put_back_in_their_range(tmp_path: Path) -> None:
    write_network(tmp_path, [0.0] * 7)
    filters = read_weights(tmp_path)["dense0/conv0/filters"]
    assert filters.shape == (3, 3, 3, 4)
    assert -0.29 < filters.min() < filters.max() < 0.22


@pytest.mark.parametrize("broken", ["missing", "no json", "short"])
def test_another_folder_is_one_line(tmp_path: Path, broken: str) -> None:
    if broken != "missing":
        write_network(tmp_path, [0.0] * 7)
    if broken == "no json":
        (tmp_path / MANIFEST).write_text("{")
    if broken == "short":
        (tmp_path / "weights.bin").write_bytes(b"123")
    with pytest.raises(UsageError, match=r"not face-api\.js' expression network"):
        load_published(tmp_path)
