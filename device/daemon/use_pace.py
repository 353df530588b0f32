"""Puts the governor's pace into effect: longer intervals, and the small model where need be."""

from __future__ import annotations

import logging

from device.daemon.appliance import (
    GIVE_WAY,
    SMALL_MODEL,
    Appliance,
    change_pace,
    load_model,
    use_model,
)
from device.daemon.governor import PACES, Pace
from device.errors import MienError

log = logging.getLogger("mien.governor")


def use_pace(device: Appliance, pace: Pace, reason: str | None) -> None:
    """Goes on at another pace and says so in ``problem``.

    Args:
        device: running; in safe mode nothing changes.
        pace: from now on; the one before it where no small model comes.
        reason: why it became slower; None when it became quicker.
    """
    vision = device.vision
    if vision is None:
        return
    if pace.small_model and device.settings.classifier.model not in (*GIVE_WAY, SMALL_MODEL):
        pace = PACES[1]
    change_pace(device, pace)
    vision.tracker.interval.slowness = pace.slowness
    try:
        _use_model(device)
    except (MienError, OSError) as error:
        log.error("the model stays as it is: %s", error)
        if pace.small_model:
            change_pace(device, PACES[1])
    if reason:
        log.warning("the board is too slow or too hot: pace %s: %s", device.pace.name, reason)
    else:
        log.warning("the board has time again: pace %s", device.pace.name)


def _use_model(device: Appliance) -> None:
    if device.settings.classifier.model not in GIVE_WAY:
        return
    is_small = device.model()["name"] == SMALL_MODEL
    if is_small != device.pace.small_model:
        use_model(device, load_model(device))
