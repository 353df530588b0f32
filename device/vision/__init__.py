"""From a frame to named faces: detector, tracker, crop, classifier, smoother."""

from pathlib import Path

MODELS = Path(__file__).parents[1] / "models"  # the shipped models; `mien fetch` adds BlazeFace
