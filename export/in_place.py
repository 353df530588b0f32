"""The file in place: a new one that is clearly worse does not replace it.

Both files answer the same pictures in the same run, so each picture is a pair of answers, and what
both get right or wrong says nothing about their difference. The new file is clearly worse when the
mean difference is against it by more than ``TOLERANCE`` standard errors of the paired differences.
Less than one may be these pictures' chance. More is refused: whoever wants it says ``--force``,
while a worse file that slips in is noticed by nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from export.gate import GateError

TOLERANCE = 1.0  # standard errors

Figures = npt.NDArray[np.float64]  # (n,) one a picture


@dataclass(frozen=True)
class Comparison:
    """What two files make of the same pictures.

    Attributes:
        measure: what the figures are, as a sentence begins, and on which pictures.
        new: (n,) figures of the new file, one a picture.
        old: (n,) of the file in place.
        unit: of a picture's figure, for the counts: "pictures", "faces".
        form: how a mean is written.
        lower_is_better: the figures are errors.
    """

    measure: str
    new: Figures
    old: Figures
    unit: str = "pictures"
    form: str = "{:.2%}"
    lower_is_better: bool = False

    def difference(self) -> tuple[float, float]:
        """By how much the new file is better on average, and that mean's standard error."""
        gains = np.asarray(self.new, np.float64) - np.asarray(self.old, np.float64)
        if self.lower_is_better:
            gains = -gains
        spread = gains.std(ddof=1) if len(gains) > 1 else 0.0
        return float(gains.mean()), float(spread / np.sqrt(len(gains)))

    def is_clearly_worse(self) -> bool:
        """True when the new file loses by more than the tolerance."""
        gain, error = self.difference()
        return gain < -TOLERANCE * error

    def in_words(self, place: str) -> str:
        """Both figures and n."""
        new, old = (self.form.format(float(np.mean(part))) for part in (self.new, self.old))
        return f"{self.measure} is {new}; {place} has {old} on the same {len(self.new)} {self.unit}"


def refuse_worse(comparison: Comparison, path: Path, force: bool) -> None:
    """Lets a file pass that is not clearly worse than the one in place, and any with ``force``.

    Raises:
        GateError: it is worse; names both figures, n and ``--force``.
    """
    words = comparison.in_words(f"{path}, which is in place,")
    if force or not comparison.is_clearly_worse():
        print(words, flush=True)
        return
    allowed = comparison.form.format(TOLERANCE * comparison.difference()[1])
    raise GateError(
        f"not exported, {words}, and only {allowed} less would be chance "
        f"({TOLERANCE:g} standard error); --force replaces it all the same"
    )
