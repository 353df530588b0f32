"""Models that fail or kill the daemon while it runs give way to the ones before them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from device.errors import ModelError, UsageError
from device.files import in_words, read_file
from device.pipeline import Classifier
from device.vision.interval_classifier import Classify
from device.vision.model_card import ModelCard
from device.vision.model_folder import version_folder
from device.vision.model_store import ModelStore
from device.vocabulary import Classification, Face

log = logging.getLogger("mien")

STARTING = "starting"  # in the store's folder: which model is at work, and how often Mien died
MAX_DEATHS = 2
FRAMES_TO_SETTLE = 30  # after so many frames the model has not killed the daemon at its first faces


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


class DeathWatch:
    """Finds out whether an installed model kills the process.

    A note lies in the store's folder while the model is at work: while it is loaded, and in the
    first frames after it got its first face. A start that finds the note counts a death. While
    there is no frame the model is not at work: a camera that hangs is no fault of a model, nor is
    a power cut then.

    Args:
        store: of installed models.
    """

    def __init__(self, store: ModelStore) -> None:
        self._store, self._note = store, store.folder / STARTING
        self._model = ("", "")  # name and version
        self._deaths = 0  # with it, before this start
        self._frames_left = 0
        self._is_noted = self._has_faces = False

    def begin(self, name: str) -> None:
        """Notes that a model is about to be loaded; one with which Mien died twice gives way."""
        try:
            while version := self._store.version_in_use(name):
                self._model, self._deaths = (name, version), self._read(name, version)
                if self._deaths < MAX_DEATHS:
                    self._write()
                    return
                log.error("%s: Mien died at %d starts with it; back to the model before",
                          self._store.find(name), self._deaths)  # fmt: skip
                self._store.rollback(name)
        except (OSError, UsageError) as error:  # installed by somebody else
            log.error("%s: %s", self._note, in_words(error))

    def around(self, classify: Classify, card: ModelCard) -> Classify:
        """The call of the model that is in use from now on, watched at its first faces.

        Args:
            classify: the model's call.
            card: the model's; the shipped one and one that stands in are not watched.
        """
        self._rest()  # a model that was watched until now has not proved itself
        self._frames_left = 0
        if not self._store.is_in_use(card):
            return classify
        if self._model != (model := (card.name, version_folder(card))):
            self._model, self._deaths = model, 0
        self._frames_left = FRAMES_TO_SETTLE

        def watched(faces: Sequence[Face]) -> list[Classification]:
            if self._frames_left and any(face.rejection_reason is None for face in faces):
                self._note_faces()
            return classify(faces)

        return watched

    def turn(self, has_frame: bool) -> None:
        """Between two frames: takes the note back while the model is not at work.

        Args:
            has_frame: whether the last turn had a frame.
        """
        if not self._is_noted:
            return
        if not (self._has_faces and has_frame):
            self._rest()
            return
        self._frames_left -= 1
        if self._frames_left <= 0:
            self.settle()

    def settle(self) -> None:
        """The model works, or the daemon ends in good order: earlier deaths are forgotten."""
        self._frames_left = self._deaths = 0
        self._rest()

    def _note_faces(self) -> None:
        if not self._is_noted:
            self._write()
        self._has_faces = True

    def _rest(self) -> None:
        """What is noted now are the earlier deaths."""
        self._is_noted = self._has_faces = False
        with suppress(OSError):
            if self._deaths:
                self._note.write_text(f"{' '.join(self._model)} {self._deaths}")
            else:
                self._note.unlink(missing_ok=True)

    def _write(self) -> None:
        self._is_noted = True  # also where it cannot be written: once is enough
        try:
            self._note.write_text(f"{' '.join(self._model)} {self._deaths + 1}")
        except OSError as error:
            log.error("%s: %s", self._note, error.strerror or error)

    def _read(self, name: str, version: str) -> int:
        """How often the daemon died with this model."""
        try:
            *noted, deaths = read_file(self._note, 1000).decode().split()
            return int(deaths) if noted == [name, version] else 0
        except (OSError, ValueError):
            return 0
