"""Settings import no part, so they repeat the names of cameras and detectors."""

from __future__ import annotations

from dataclasses import fields

from device.camera.choose import SOURCES
from device.settings.tree import Camera, Detector
from device.vision.detector import UNCHECKED


def choices(table: type, name: str) -> set[str]:
    [field] = [field for field in fields(table) if field.name == name]
    return set(field.metadata["choices"])


def test_the_settings_allow_the_cameras_there_are() -> None:
    assert choices(Camera, "source") == {*SOURCES, "auto"}


def test_the_settings_allow_the_detectors_there_are() -> None:
    assert choices(Detector, "kind") == {*UNCHECKED, "both", "blazeface", "auto"}
