from __future__ import annotations

from dataclasses import replace

import pytest

from device.errors import DetectorError, ModelError
from device.live import LiveActions, Makers
from device.pipeline import Classifier, Parts
from device.settings import Settings, replace_setting
from device.settings.tree import Detector, Smoothing
from device.vision.model_card import ModelCard
from tests.fakes import FakeClassifier, fake_parts

CARD = ModelCard("expression", "2", "classify", "ab")


class Workshop:
    """Makers that note what they made."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.failure: Exception | None = None
        self.classifier = FakeClassifier()

    def redetect(self, settings: Detector) -> str:
        if self.failure:
            raise self.failure
        self.made.append(f"detector {settings.kind}")
        return settings.kind

    def classify(self, settings: Settings) -> tuple[Classifier, ModelCard]:
        if self.failure:
            raise self.failure
        return self.classifier, CARD

    def retune(self, settings: Smoothing) -> None:
        self.made.append(f"threshold {settings.threshold}")

    def makers(self) -> Makers:
        return Makers(
            self.redetect,
            self.classify,
            self.retune,
            identify=lambda: self.made.append("identify"),
            stop=lambda: self.made.append("stop"),
            synthesize=lambda frame, scene, expression: expression.value.encode(),
        )


@pytest.fixture
def parts() -> Parts:
    return fake_parts([])


@pytest.fixture
def workshop() -> Workshop:
    return Workshop()


def test_only_what_differs_is_replaced(parts: Parts, workshop: Workshop) -> None:
    actions = LiveActions(parts, Settings(), CARD, workshop.makers())
    actions.apply(Settings())
    assert workshop.made == []
    settings = replace_setting(Settings(), "smoothing.threshold", 0.7)
    actions.apply(settings)
    actions.apply(replace_setting(settings, "detector.kind", "haar"))
    assert workshop.made == ["threshold 0.7", "detector haar"]
    assert parts.status.detector == "haar"


def test_a_detector_that_cannot_be_made_leaves_everything(parts: Parts, workshop: Workshop) -> None:
    actions = LiveActions(parts, Settings(), CARD, workshop.makers())
    workshop.failure = DetectorError("no HOG here")
    wanted = replace_setting(Settings(), "detector.kind", "hog")
    wanted = replace_setting(wanted, "smoothing.threshold", 0.7)
    before = parts.status
    with pytest.raises(DetectorError):
        actions.apply(wanted)
    assert workshop.made == []
    assert parts.status == before


def test_a_new_network_takes_the_place_of_the_old_one(parts: Parts, workshop: Workshop) -> None:
    old = replace(CARD, version="1")
    actions = LiveActions(parts, Settings(), old, workshop.makers())
    assert actions.reload_model() == {"name": "expression", "version": "2", "sha256": "ab"}
    assert parts.classifier is workshop.classifier
    assert parts.status.model == "expression 2"


def test_a_network_that_fails_leaves_the_old_one(parts: Parts, workshop: Workshop) -> None:
    actions = LiveActions(parts, Settings(), CARD, workshop.makers())
    old = parts.classifier
    workshop.failure = ModelError("self-test failed")
    with pytest.raises(ModelError):
        actions.reload_model()
    assert parts.classifier is old
    assert actions.model()["version"] == "2"


def test_a_good_network_ends_safe_mode_by_a_restart(parts: Parts, workshop: Workshop) -> None:
    actions = LiveActions(parts, Settings(), None, workshop.makers())
    assert actions.model()["name"] == "none"
    actions.reload_model()
    assert workshop.made == ["stop"]
