"""What numbers a recipe may hold; checked before anything is made."""

from __future__ import annotations

import math
from typing import Any

from device.errors import UsageError

MOST = 2**31 - 1  # what TensorFlow and Keras take as a count
MOST_SEED = 2**32 - 1  # NumPy's
COUNTS = ("faces", "rounds", "seeds", "per_class", "repeats",
          "batch_size", "epochs", "steps", "round_steps", "blocks", "width", "critic_steps",
          "penalty_interval", "average_every", "guide_steps")  # fmt: skip
SHARES = ("label_smoothing", "teacher_share", "view_share", "informed_share", "average_decay",
          "momentum", "learn_validation", "p_mixup")  # fmt: skip
ABOVE_ZERO = ("cost", "learning_rate", "critic_rate")
AT_LEAST_ZERO = ("seed", "weight_decay", "warmup_epochs", "crowd_weight", "posed_pairs",
                 "difference_weight",
                 "rare_margin")  # fmt: skip


def check_ranges(settings: Any) -> None:
    """Refuses numbers that no training can be made with.

    Args:
        settings: a recipe or losses, as a dataclass, or the command line's options.

    Raises:
        UsageError: one is out of its range; it is named as on the command line.
    """
    for name, value in vars(settings).items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        wanted = fault(name, value)
        if wanted:
            shown = f"{value:g}" if isinstance(value, float) else value
            raise UsageError(f"--{name.replace('_', '-')} {shown}: must be {wanted}")


def fault(name: str, value: float) -> str:
    """What the setting must be and is not; "" when it is."""
    most = MOST_SEED if name == "seed" else MOST
    if isinstance(value, int) and value > most:
        return f"at most {most}"
    if isinstance(value, float) and not math.isfinite(value):
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
