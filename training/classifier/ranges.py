"""What numbers a recipe may hold; checked before anything is made."""

from __future__ import annotations

import math
from typing import Any

from device.errors import UsageError

COUNTS = ("batch_size", "epochs", "steps", "round_steps", "blocks", "width", "critic_steps",
          "penalty_interval", "average_every", "guide_steps")  # fmt: skip
SHARES = ("label_smoothing", "teacher_share", "view_share", "informed_share", "average_decay",
          "momentum", "learn_validation", "p_mixup")  # fmt: skip
ABOVE_ZERO = ("learning_rate", "critic_rate")
AT_LEAST_ZERO = ("seed", "weight_decay", "warmup_epochs", "crowd_weight", "posed_pairs",
                 "difference_weight",
                 "rare_margin")  # fmt: skip


def check_ranges(settings: Any) -> None:
    """Refuses numbers that no training can be made with.

    Args:
        settings: a recipe or losses, as a dataclass.

    Raises:
        UsageError: one is out of its range; it is named as on the command line.
    """
    for name, value in vars(settings).items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        wanted = fault(name, value)
        if wanted:
            raise UsageError(f"--{name.replace('_', '-')} {value:g}: must be {wanted}")


def fault(name: str, value: float) -> str:
    """What the setting must be and is not; "" when it is."""
    if not math.isfinite(value):
        return "a finite number"
    if name in COUNTS and value < 1:
        return "at least 1"
    if name in SHARES and not 0 <= value <= 1:
        return "from 0 to 1"
    if name in ABOVE_ZERO and value <= 0:
        return "above 0"
    if (name in AT_LEAST_ZERO or name.startswith("lambda_")) and value < 0:
        return "at least 0"
    return ""
