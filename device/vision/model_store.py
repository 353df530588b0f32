"""Installed models: tested before they are used, swapped atomically, rolled back.

``models/NAME/VERSION-SHA/NAME.tflite`` and its card in the state folder; ``models/NAME/current``
and ``previous`` are links. A link is replaced in one step, so a power cut leaves the old model
or the new one. What neither link names goes with the next installation.
"""

from __future__ import annotations

import logging
import os
import re
import reprlib
import tempfile
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from device.errors import ModelError, TrialNotDoneError, UsageError
from device.files import in_words
from device.settings import Settings
from device.vision import MODELS
from device.vision.classifier import TFLiteClassifier
from device.vision.model_bundle import read_bundle
from device.vision.model_card import ModelCard, read_card, read_model, require_task
from device.vision.model_folder import put_model, replace_link, version_folder
from device.vision.trial import PASSED, has_passed, passed_mark, require_trial, try_out

log = logging.getLogger("mien")

GENERATOR = "generator"  # the name of the model that synthesizes
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SelfTest = Callable[[Path], object]  # raises ModelError


@dataclass(frozen=True)
class Installed:
    """One installed model."""

    name: str
    version: str
    sha256: str
    is_current: bool


class ModelStore:
    """The installed models.

    Args:
        folder: usually ``models`` in the state folder.
        as_owner: inside it the folder is written to, under the name that it gives.

    Attributes:
        folder: that folder.
    """

    def __init__(
        self, folder: Path, as_owner: Callable[[Path], AbstractContextManager[Path]] = nullcontext
    ) -> None:
        self.folder, self._as_owner = folder, as_owner

    def find(self, name: str, which: str = "current") -> Path | None:
        """The ``.tflite`` in use under a name (or the ``previous`` one); None when there is none."""
        if not SAFE_NAME.fullmatch(name):
            return None
        path = self.folder / name / which / f"{name}.tflite"
        try:
            return path if path.is_file() else None
        except PermissionError:
            log.warning("%s: not yours to look into: what is installed there is not used", path)
            return None

    def install(self, bundle: Path, self_test: SelfTest) -> ModelCard:
        """Checks a bundle, tests it and takes it into use.

        Args:
            bundle: a ``.zip`` or a folder with one ``.tflite`` and its card.
            self_test: tries the model out on this board.

        Raises:
            ModelError: damaged, mismatched, or failed the self-test; nothing has changed.
            UsageError: no such bundle, or the state folder cannot be written.
        """
        read = read_bundle(bundle)
        files = read.files
        with tempfile.TemporaryDirectory(prefix="mien-") as part:
            model = Path(part) / "bundle.tflite"
            for suffix, content in files.items():
                model.with_suffix(suffix).write_bytes(content)
            try:
                card = _check(model, self_test)
            except ModelError as error:  # of a copy that is gone when somebody reads this
                text = str(error).replace(str(model), str(bundle))
                text = text.replace(str(model.with_suffix(".json")), f"{bundle}: {read.card_name}")
                raise ModelError(text) from error
        files[PASSED] = passed_mark(files[".tflite"], card)
        try:
            with self._as_owner(self.folder) as folder:
                put_model(folder, card, files)
        except OSError as error:
            raise UsageError(
                f"{bundle}: cannot install into {self.folder}: {error.strerror or error}"
            ) from error
        return card

    def list(self) -> list[Installed]:
        """All installed models, sorted by name and version."""
        found = []
        for path in sorted(self.folder.glob("*/*/*.json")):
            version = path.parent
            if version.is_symlink() or path.stem != version.parent.name:
                continue
            current = version.parent / "current"
            is_current = current.is_symlink() and os.readlink(current) == version.name
            number, _, sha = version.name.rpartition("-")
            found.append(Installed(path.stem, number, sha, is_current))
        return found

    def rollback(self, name: str) -> str | None:
        """Back to the model before; the shipped one when there was none.

        Returns:
            The version now in use, None for the shipped one.

        Raises:
            UsageError: nothing is installed under this name.
        """
        if not SAFE_NAME.fullmatch(name):
            raise UsageError(f"{name[:80]!r} is not the name of a model")
        with self._as_owner(self.folder) as folder:
            current, previous = folder / name / "current", folder / name / "previous"
            if not current.is_symlink():
                known = "; the shipped one is in use" if find_shipped(name) else ""
                raise UsageError(f"no model {name!r} is installed{known}")
            if not previous.is_symlink():
                current.unlink()
                return None
            target = os.readlink(previous)
            replace_link(current, target)
            previous.unlink()
        return target.rpartition("-")[0]

    def version_in_use(self, name: str) -> str | None:
        """The folder's name of the installed version in use; None for the shipped one.

        Raises:
            OSError: what is in use lies there by hand.
        """
        installed = self.find(name)
        return os.readlink(installed.parent) if installed else None

    def find_in_use(self, name: str) -> str | None:
        """As ``version_in_use``; None also for what lies there by hand."""
        try:
            return self.version_in_use(name)
        except OSError:
            return None

    def is_in_use(self, card: ModelCard) -> bool:
        """Whether this is the installed model in use under its name."""
        return self.find_in_use(card.name) == version_folder(card)


def _check(model: Path, self_test: SelfTest) -> ModelCard:
    _, card = read_model(model)
    if not (SAFE_NAME.fullmatch(card.name) and SAFE_NAME.fullmatch(card.version)):
        raise ModelError(f"{model}: name or version of the card is not usable in a path")
    allowed = {"classify": card.name != GENERATOR, "synthesize": card.name == GENERATOR}
    if not allowed.get(card.task, False):
        raise ModelError(
            f"{model}: model card: name = {card.name!r} with task = {card.task!r}: allowed: "
            f"{GENERATOR!r} with 'synthesize', any other name with 'classify'"
        )
    if not card.golden:
        raise ModelError(f"{model}: its card has no golden vectors, so it cannot be tested")
    self_test(model)
    return card


def load_classifier(settings: Settings, store: ModelStore | None = None) -> TFLiteClassifier:
    """The model that ``classifier.model`` names: a path, an installed one, or a shipped one.

    An installed model that fails its self-test gives way to the one before it. Where the board
    cannot carry the self-test out, another model serves until the next start.

    Raises:
        ModelError: the model and its card cannot be used.
    """
    name = settings.classifier.model
    prior, threads = settings.classifier.prior, settings.classifier.threads
    if name.endswith(".tflite"):
        require_trial(Path(name))
        return TFLiteClassifier.load(Path(name), prior, threads)
    while store and (installed := store.find(name)):
        try:
            require_trial(installed)
            return TFLiteClassifier.load(installed, prior, threads)
        except TrialNotDoneError as error:
            log.warning("%s; the next start tries it again", error)
            return TFLiteClassifier.load(_stand_in(name, store, error), prior, threads)
        except ModelError as error:
            log.error("%s; back to the model before", error)
        try:
            store.rollback(name)
        except OSError as error:  # installed by somebody else: not ours to change
            log.error("cannot go back (%s): the shipped model serves", in_words(error))
            break
    return TFLiteClassifier.load(_shipped(name), prior, threads)


def _stand_in(name: str, store: ModelStore, error: TrialNotDoneError) -> Path:
    """The model that serves at this start, where ``error`` kept the installed one from it.

    A second self-test could take too long for the watchdog: only where nothing else is left.
    """
    is_shipped = find_shipped(name) is not None
    previous = store.find(name, "previous")
    if previous and (has_passed(previous) or not is_shipped):
        require_trial(previous)
        return previous
    if not is_shipped:
        raise error
    return _shipped(name)


def try_classifier(settings: Settings, store: ModelStore) -> tuple[ModelCard, list[str]]:
    """Which classifier ``load_classifier`` would take; nothing is put in its place here.

    Returns:
        Its card, and for each installed one before it why it cannot be used.

    Raises:
        ModelError: there is none that can be used.
    """
    name = settings.classifier.model
    if name.endswith(".tflite"):
        return try_model(Path(name), "classify"), []
    installed = filter(None, [store.find(name), store.find(name, "previous")])
    card, problems = first_that_passes(installed, "classify")
    return card or try_model(_shipped(name), "classify"), problems


def first_that_passes(paths: Iterable[Path], task: str) -> tuple[ModelCard | None, list[str]]:
    """The card of the first model that passes its self-test; None where none does.

    Returns:
        The card, and for each model before it why it cannot be used.
    """
    problems = list[str]()
    for path in paths:
        try:
            return try_model(path, task), problems
        except ModelError as error:
            problems.append(str(error))
    return None, problems


def try_model(path: Path, task: str) -> ModelCard:
    """The card of a model that passes its self-test in a process of its own.

    This process does not load it: it may be root's, and the model somebody else's.

    Raises:
        ModelError: it fails, or is for another task.
    """
    try_out(path)
    card = read_card(path.with_suffix(".json"))
    require_task(path, card, task)
    return card


def _shipped(name: str) -> Path:
    path = find_shipped(name)
    if path is None:
        known = ", ".join(sorted(path.stem for path in MODELS.glob("expression*.tflite")))
        raise ModelError(
            f"classifier.model = {reprlib.repr(name)}: no such model is installed or shipped; "
            f"shipped: {known}; the path of a file must end in .tflite"
        )
    return path


def find_shipped(name: str) -> Path | None:
    """The shipped model of this name; None where there is none."""
    path = MODELS / f"{name}.tflite"
    return path if SAFE_NAME.fullmatch(name) and path.exists() else None
