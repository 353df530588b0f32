"""What the paper states in its Tables 2 and 3, and its test counts.

S. Karkuzhali, R. Murugeshwari, V. Umadevi: "Facial Emotion Recognition and Synthesis with
Convolutional Neural Networks".
"""

from __future__ import annotations

from typing import NamedTuple

# Its "testing" set, as it says: FER2013's PublicTest and PrivateTest together.
TEST_COUNTS = {
    "angry": 958, "disgust": 111, "fear": 1024, "happy": 1774,
    "sad": 1247, "surprise": 831, "neutral": 1233,
}  # fmt: skip

# FER2013's PrivateTest alone.
PRIVATE_COUNTS = {
    "angry": 491, "disgust": 55, "fear": 528, "happy": 879,
    "sad": 594, "surprise": 416, "neutral": 626,
}  # fmt: skip

# Precision, recall, F1 in percent.
TABLE_2 = {
    "angry": (69.10, 65.58, 67.29),
    "disgust": (82.35, 76.36, 79.25),
    "surprise": (86.08, 81.73, 83.85),
    "fear": (65.71, 56.63, 60.83),
    "happy": (89.89, 92.04, 90.95),
    "sad": (60.88, 62.63, 61.74),
    "neutral": (67.93, 77.16, 72.25),
}

# Accuracy on FER2013 in percent.
TABLE_3 = (
    ("Zahara et al.", "CNN", 65.97),
    ("Manewa and Mayurathan", "deeply supervised CNN", 64.56),
    ("Nguyen et al.", "ensemble MLCNN", 74.09),
    ("Cheng et al.", "attention", 79.33),
    ("Kusuma et al.", "standalone CNN", 69.40),
    ("Khanzada et al.", "shallow CNN", 75.80),
    ("Nithiyasree et al.", "deep CNN", 79.00),
    ("Wang et al.", "auxiliary model", 67.7),
    ("the paper", "deep CNN", 93.43),
)


HALF_A_DIGIT = 0.00501  # of what is stated with two decimals, in percent


class Fit(NamedTuple):
    """Whole numbers that make a row of Table 2: so many were right, so many were named so."""

    right: int
    named: int


def fits(name: str, count: int) -> list[Fit]:
    """All whole numbers from which a row of Table 2 follows to its last digit.

    Args:
        name: of the class.
        count: pictures of it in the test set.
    """
    precision, recall, f1 = TABLE_2[name]
    return [
        Fit(right, named)
        for right in range(1, count + 1)
        if _states(recall, right, count)
        for named in range(right, 3 * count)
        if _states(precision, right, named) and _states(f1, 2 * right, count + named)
    ]


def implied_right() -> int:
    """Pictures of ``PrivateTest`` that Table 2's network named right."""
    return sum(fits(name, count)[0].right for name, count in PRIVATE_COUNTS.items())


def _states(percent: float, part: int, whole: int) -> bool:
    return abs(100 * part / whole - percent) < HALF_A_DIGIT
