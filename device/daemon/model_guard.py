"""A model that fails while the daemon runs gives way; it never ends the daemon."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from device.errors import ModelError
from device.pipeline import Classifier
from device.vocabulary import Classification, Face


class GuardedClassifier:
    """Names expressions, with another model once this one has failed.

    Args:
        classifier: the model in use.
        give_way: puts another classifier into the loop and returns it.
    """

    def __init__(
        self, classifier: Classifier, give_way: Callable[[ModelError], Classifier]
    ) -> None:
        self._classifier, self._give_way = classifier, give_way

    def classify(self, faces: Sequence[Face], now_s: float) -> list[Classification]:
        """As the model does."""
        try:
            return self._classifier.classify(faces, now_s)
        except ModelError as error:
            return self._give_way(error).classify(faces, now_s)
