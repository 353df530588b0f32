"""What the paper states in its Tables 2 and 3, and its test counts.

S. Karkuzhali, R. Murugeshwari, V. Umadevi: "Facial Emotion Recognition and Synthesis with
Convolutional Neural Networks".
"""

from __future__ import annotations

# Its "testing" set: FER2013's PublicTest and PrivateTest together.
TEST_COUNTS = {
    "angry": 958, "disgust": 111, "fear": 1024, "happy": 1774,
    "sad": 1247, "surprise": 831, "neutral": 1233,
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


def implied_accuracy() -> float:
    """The accuracy that Table 2's recalls make with the test counts: a share."""
    right = sum(TEST_COUNTS[name] * TABLE_2[name][1] / 100 for name in TEST_COUNTS)
    return right / sum(TEST_COUNTS.values())
