"""Installed models: tested before they are used, swapped atomically, rolled back.

``models/NAME/VERSION-SHA/NAME.tflite`` and its card in the state folder; ``models/NAME/current``
and ``previous`` are links. A link is replaced in one step, so a power cut leaves the old model
or the new one.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from device.errors import ModelError, UsageError
from device.settings import Settings
from device.vision import MODELS
from device.vision.classifier import TFLiteClassifier
from device.vision.model_card import MAX_MODEL_BYTES, ModelCard, read_model

log = logging.getLogger("mien")

MAX_CARD_BYTES = 1 << 20
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
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, name: str) -> Path | None:
        """The ``.tflite`` in use under a name; None when none is installed."""
        path = self._folder / name / "current" / f"{name}.tflite"
        try:
            return path if path.is_file() else None
        except PermissionError:
            log.warning("%s: not yours to look into: what is installed there is not used", path)
            return None

    def install(self, bundle: Path, self_test: SelfTest) -> ModelCard:
        """Checks a bundle, tests it and takes it into use.

        Args:
            bundle: a ``.zip`` or a folder with one ``.tflite`` and its card.
            self_test: loads the model on this board and compares its golden vectors.

        Raises:
            ModelError: damaged, mismatched, or failed the self-test; nothing has changed.
            UsageError: no such bundle, or the state folder cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self._folder, prefix=".new-") as part:
                model = _unpack(bundle, Path(part))
                try:
                    card = self._check(model, self_test)
                except ModelError as error:  # of a copy that is gone when somebody reads this
                    raise ModelError(str(error).replace(str(model), str(bundle))) from error
                place = self._folder / card.name / f"{card.version}-{card.sha256[:12]}"
                place.parent.mkdir(exist_ok=True)
                if not place.exists():
                    fresh = Path(part) / "fresh"
                    fresh.mkdir()
                    for suffix in (".tflite", ".json"):
                        target = fresh / f"{card.name}{suffix}"
                        shutil.copyfile(model.with_suffix(suffix), target)
                        _write_through(target)
                    fresh.rename(place)
                self._switch(card.name, place.name)
        except OSError as error:
            raise UsageError(f"{bundle}: cannot install into {self._folder}: {error}") from error
        return card

    def _check(self, model: Path, self_test: SelfTest) -> ModelCard:
        _, card = read_model(model)
        if not (SAFE_NAME.fullmatch(card.name) and SAFE_NAME.fullmatch(card.version)):
            raise ModelError(f"{model.name}: name or version of the card is not usable in a path")
        if not card.golden:
            raise ModelError(
                f"{model.name}: its card has no golden vectors, so it cannot be tested"
            )
        self_test(model)
        return card

    def list(self) -> list[Installed]:
        """All installed models, sorted by name and version."""
        found = []
        for path in sorted(self._folder.glob("*/*/*.json")):
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
        current, previous = self._folder / name / "current", self._folder / name / "previous"
        if not current.is_symlink():
            raise UsageError(f"no model {name!r} is installed; the shipped one is in use")
        if not previous.is_symlink():
            current.unlink()
            return None
        target = os.readlink(previous)
        _link(current, target)
        previous.unlink()
        return target.rpartition("-")[0]

    def _switch(self, name: str, version: str) -> None:
        current, previous = self._folder / name / "current", self._folder / name / "previous"
        if current.is_symlink():
            if os.readlink(current) == version:
                return
            _link(previous, os.readlink(current))
        else:
            previous.unlink(missing_ok=True)
        _link(current, version)


def load_classifier(settings: Settings, store: ModelStore | None = None) -> TFLiteClassifier:
    """The model that ``classifier.model`` names: a path, an installed one, or a shipped one.

    An installed model that fails its self-test gives way to the one before it.

    Raises:
        ModelError: the model and its card cannot be used.
    """
    name = settings.classifier.model
    prior, threads = settings.classifier.prior, settings.classifier.threads
    if name.endswith(".tflite"):
        return TFLiteClassifier.load(Path(name), prior, threads)
    while store and (installed := store.find(name)):
        try:
            return TFLiteClassifier.load(installed, prior, threads)
        except ModelError as error:
            log.error("%s; back to the model before", error)
        try:
            store.rollback(name)
        except OSError as error:  # installed by somebody else: not ours to change
            log.error("cannot go back (%s): the shipped model serves", error)
            break
    shipped = MODELS / f"{name}.tflite"
    if not shipped.exists():
        known = ", ".join(sorted(path.stem for path in MODELS.glob("expression*.tflite")))
        raise ModelError(
            f"classifier.model = {name!r}: no such model is installed or shipped; shipped: {known}"
        )
    return TFLiteClassifier.load(shipped, prior, threads)


def _link(path: Path, target: str) -> None:
    """A link put in place in one step."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    part.symlink_to(target)
    part.replace(path)
    _write_through(path.parent)


def _write_through(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unpack(bundle: Path, part: Path) -> Path:
    """The bundle's ``.tflite``, its card beside it."""
    if bundle.is_dir():
        models = sorted(bundle.glob("*.tflite"))
        if len(models) != 1:
            raise ModelError(f"{bundle}: {len(models)} .tflite files instead of one")
        return models[0]
    if not bundle.is_file():
        raise UsageError(f"{bundle}: no such bundle")
    try:
        with zipfile.ZipFile(bundle) as archive:
            return _unpack_zip(archive, bundle, part)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ModelError(f"{bundle}: not a readable zip: {error}") from error


def _unpack_zip(archive: zipfile.ZipFile, bundle: Path, part: Path) -> Path:
    """Takes the two files by their suffix; their paths in the zip are not followed."""
    for suffix, most in ((".tflite", MAX_MODEL_BYTES), (".json", MAX_CARD_BYTES)):
        entries = [entry for entry in archive.infolist() if entry.filename.endswith(suffix)]
        if len(entries) != 1:
            raise ModelError(f"{bundle}: {len(entries)} {suffix} files instead of one")
        with archive.open(entries[0]) as source:
            content = source.read(most + 1)  # the size a zip states may be a lie
        if len(content) > most:
            raise ModelError(f"{bundle}: {entries[0].filename[:80]} is too large")
        (part / f"bundle{suffix}").write_bytes(content)
    return part / "bundle.tflite"
