from __future__ import annotations

import json
from pathlib import Path

import pytest

from device.errors import ModelError
from device.vision import MODELS
from device.vision.model_card import read_card


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('"prior_shift": [0, 0, 0, 0, 0, 0, NaN]', "NaN is no number"),
        ('"prior_shift": [0, 0, 0, 0, 0, 0, Infinity]', "Infinity is no number"),
        ('"prior_shift": [0, 0, 0, 0, 0, 0, 1e999]', r"prior_shift = .*inf.*: allowed: 7 numbers"),
        ('"prior_shift": [1e30, 0, 0, 0, 0, 0, 0]', r"prior_shift = \[1e\+30.*from -6 to 6"),
        ('"prior_shift": ["1", 0, 0, 0, 0, 0, 0]', r"prior_shift = \['1'"),
        (f'"prior_shift": [{"9" * 401}, 0, 0, 0, 0, 0, 0]', "prior_shift"),
        ('"prior_shift": null', "prior_shift = None"),
        ('"temperature": NaN', "NaN is no number"),
        ('"temperature": 1e30', r"temperature = 1e\+30: allowed: a number from 0.05 to 20"),
        ('"temperature": true', "temperature = True"),
        (f'"temperature": {"9" * 5001}', "not JSON"),
        ('"task": null', "task = None: allowed: classify, synthesize, landmarks"),
        ('"task": ["classify"]', "task"),
        ('"name": 5', "name = 5: allowed: a text"),
        ('"sha256": "x"', "sha256 = 'x': allowed: 64 hex"),
        ('"golden": {}', r"golden = \{\}: allowed"),
        ('"labels": 1', "labels = 1"),
        ('"more": ' + "[" * 9999, "not JSON"),
    ],
)
def test_a_wrong_field_is_named_with_its_value_and_what_is_allowed(
    tmp_path: Path, change: str, message: str
) -> None:
    text = (MODELS / "expression.json").read_text().strip()
    card = tmp_path / "x.json"
    card.write_text(f"{text[:-1]}, {change}}}")  # the last of two equal keys counts
    with pytest.raises(ModelError, match=message) as raised:
        read_card(card)
    assert "\n" not in str(raised.value)


def test_a_field_that_is_missing_is_named(tmp_path: Path) -> None:
    card = json.loads((MODELS / "expression.json").read_text())
    del card["sha256"]
    (tmp_path / "x.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="sha256 = missing"):
        read_card(tmp_path / "x.json")
