from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from device.errors import ModelError
from device.vision.landmarks import LandmarkNetwork
from device.vision.model_card import ModelCard

CLASSIFIER = Path(__file__).parents[2] / "golden/brightness.tflite"


def test_a_classifier_is_not_taken_for_landmarks() -> None:
    with pytest.raises(ModelError, match="not 'landmarks'"):
        LandmarkNetwork(CLASSIFIER)


def test_a_network_with_another_output_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "landmarks.tflite"
    shutil.copy(CLASSIFIER, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    card = ModelCard(name="landmarks", version="1", task="landmarks", sha256=sha256)
    path.with_suffix(".json").write_text(card.to_json())
    with pytest.raises(ModelError, match=r"not \(N, 10\)"):
        LandmarkNetwork(path)
