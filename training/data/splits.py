"""The official splits that a command cannot do without."""

from __future__ import annotations

from pathlib import Path

from device.errors import UsageError
from training.data.fer2013 import USAGES, Pictures, Split


def require_split(pictures: Pictures, split: Split, data: Path | str) -> Pictures:
    """The pictures of one split.

    Args:
        pictures: of all splits.
        split: that is needed.
        data: where they came from, for the error.

    Raises:
        UsageError: it has none.
    """
    chosen = pictures.split(split)
    if not len(chosen):
        usage = next(name for name, other in USAGES.items() if other == split)
        raise UsageError(f"{data}: no pictures of the {split.name.lower()} split ({usage})")
    return chosen
