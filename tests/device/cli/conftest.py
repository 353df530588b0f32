"""What the tests of commands share."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from device.cli import check, doctor
from device.vision.trial import damaged_shipped


@pytest.fixture(scope="session", autouse=True)
def shipped_tried_once() -> Iterator[None]:
    """The shipped models are tried in a process of their own once, not at every command here.

    Commands in processes of their own, and tests of ``damaged_shipped`` itself, try them.
    """
    once = cache(damaged_shipped)
    with pytest.MonkeyPatch.context() as patch:
        for command in (check, doctor):
            patch.setattr(command, "damaged_shipped", once)
        yield
