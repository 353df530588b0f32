"""Puts the governor's pace into effect: longer intervals, and the small model where need be."""

from __future__ import annotations

import logging
from dataclasses import replace

from device.daemon.appliance import Appliance, use_model
from device.daemon.governor import Pace
from device.errors import MienError
from device.settings import replace_setting
from device.vision.model_store import load_classifier

log = logging.getLogger("mien.governor")

SMALL_MODEL = "expression-tiny"
GIVE_WAY = ("expression", "expression-fer2013")  # a model of the user's own is not exchanged


def use_pace(device: Appliance, pace: Pace, reason: str | None) -> None:
    """Goes on at another pace and says so in ``problem``.

    Args:
        device: running; in safe mode nothing changes.
        pace: from now on.
        reason: why it became slower; None when it became quicker.
    """
    vision, parts, ours = device.vision, device.parts, problem_of(device.pace)
    if vision is None:
        return
    device.pace = pace
    vision.tracker.interval.slowness = pace.slowness
    try:
        _use_model(device, pace)
    except (MienError, OSError) as error:
        log.error("the model stays as it is: %s", error)
    if parts.status.problem in (None, ours):
        parts.status = replace(parts.status, problem=problem_of(pace))
    if reason:
        log.warning("the board is too slow or too hot: pace %s: %s", pace.name, reason)
    else:
        log.warning("the board has time again: pace %s", pace.name)


def problem_of(pace: Pace) -> str | None:
    """What ``problem`` says at this pace."""
    return f"the board is too slow or too hot: {pace.words}" if pace.words else None


def _use_model(device: Appliance, pace: Pace) -> None:
    settings = device.settings
    if settings.classifier.model not in GIVE_WAY:
        return
    is_small = device.model()["name"] == SMALL_MODEL
    if pace.small_model and not is_small:
        small = replace_setting(settings, "classifier.model", SMALL_MODEL, "governor")
        use_model(device, load_classifier(small))
    elif is_small and not pace.small_model:
        use_model(device, load_classifier(settings, device.store))
