"""Collects recognised faces to improve the model; off unless ``capture.enabled``.

Crops of 48×48 grey pixels, named by time, expression and probability, in the state folder.
The oldest go when there are too many, and each goes when it is too old.
"""

from __future__ import annotations

import csv
import io
import logging
import os
import queue
import re
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from device.daemon.capture_clock import STAMP, CaptureClock, parse_stamp
from device.daemon.ownership import acting_as_owner
from device.daemon.paths import write_atomically
from device.errors import ConfigurationError, UsageError, is_storage_trouble
from device.files import in_words, read_file
from device.mqtt.payloads import clock_is_synced
from device.settings.tree import Capture as CaptureSettings
from device.vocabulary import Classification, GreyImage

log = logging.getLogger("mien.capture")

NAME = re.compile(r"(\d{8}T\d{12}Z)_([a-z]+)_(\d{3})_\d+\.png")
PART = ".part"  # a crop that is being written
CLOCK = ".clock"
LISTING, COLUMNS = "captured.csv", ("file", "expression", "probability")
PRUNE_EVERY = 20  # pictures
PRUNE_INTERVAL_S = 3600.0  # age counts, too, while nobody comes by
CLOCK_SET = "20250101"  # an older stamp was made before the clock was set
MAX_PAUSE = timedelta(days=365)  # between two pictures; more is taken for a clock that jumped
MAX_CROP_BYTES = 64 << 10
CLOSE_WITHIN_S = 5.0  # of the 15 s after which systemd ends the daemon
MAX_TRACKS = 1000  # remembered for the interval between two pictures of one face


class CaptureStore:
    """The folder of collected crops; written by a thread of its own.

    Args:
        folder: made when needed, for its owner only.
        settings: the caps.
        now: UTC.
        is_synced: whether ``now`` can be trusted.
        prune_interval_s: at least so often what is too old is removed.
    """

    def __init__(
        self,
        folder: Path,
        settings: CaptureSettings,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        prune_interval_s: float = PRUNE_INTERVAL_S,
        is_synced: Callable[[], bool] = clock_is_synced,
    ) -> None:
        self._folder, self._settings = folder, settings
        self._now = CaptureClock(folder / CLOCK, now, is_synced)
        self._queue: queue.Queue[tuple[str, GreyImage] | None] = queue.Queue(16)
        self._prune_interval_s = prune_interval_s
        self._complained, self._is_closing = False, threading.Event()
        self._taken_s: dict[int | None, float] = {}  # when each track was last collected
        self._names: deque[str] = deque()  # oldest first; some may be gone: cleared, or exported
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / PART).unlink(missing_ok=True)  # a power cut left it
        newest = [_time_of(path.name) for path in list_captures(folder)[-1:]]
        self._now.go_on(*newest or [None])
        self.prune()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    def collect(self, classifications: Sequence[Classification], now_s: float) -> None:
        """Takes each named face now and then; rejected ones never.

        Args:
            classifications: of one frame, each with its face's crop.
            now_s: time of the frame.
        """
        for classification in classifications:
            face = classification.face
            waited_s = now_s - self._taken_s.get(face.track_id, float("-inf"))
            if face.rejection_reason is not None or face.crop is None:
                continue
            if not classification.is_new:
                continue  # its name is that of an earlier crop
            if waited_s >= self._settings.min_interval_s:
                if len(self._taken_s) >= MAX_TRACKS:
                    self._taken_s.clear()
                self._taken_s[face.track_id] = now_s
                self.add(face.crop, classification)

    def add(self, crop: GreyImage, classification: Classification) -> None:
        """Hands over a (48, 48) crop; dropped when the disk is too slow."""
        stamp = self._now().strftime(STAMP)
        share = round(classification.probability * 100)
        track = classification.face.track_id or 0
        name = f"{stamp}_{classification.expression.value}_{share:03d}_{track}.png"
        if not self._queue.full():
            self._queue.put_nowait((name, crop))

    def prune(self) -> None:
        """Removes what is too old or too many.

        A clock that jumped makes nothing old: what lies beyond a pause of a year is kept until
        the clock is synchronised, and what has an impossible time then is as old as that moment.
        Until then age counts by the hours that the device runs.
        """
        now, is_synced = self._now(), self._now.is_synced()
        if is_synced:
            self._stamp_anew(now)
        names = [path.name for path in list_captures(self._folder)]
        self._names = deque(names)
        oldest = (now - timedelta(days=self._settings.max_days)).strftime(STAMP)
        later, kept = now, deque[str]()
        for number, name in reversed([*enumerate(names)]):
            taken = _time_of(name) or later
            if later - taken > MAX_PAUSE and not is_synced:
                kept.extendleft(reversed(names[: number + 1]))
                break
            later = taken
            if name < oldest:
                (self._folder / name).unlink(missing_ok=True)
            else:
                kept.appendleft(name)
        self._names = kept
        self._make_room(self._settings.max_pictures)
        with suppress(OSError):  # a full disk keeps nothing from being removed
            self._now.save()

    def _stamp_anew(self, now: datetime) -> None:
        """Gives this moment to crops from before the clock was set, or from the future."""
        latest = (now + timedelta(days=1)).strftime(STAMP)
        for number, path in enumerate(list_captures(self._folder)):
            if not CLOCK_SET <= path.name < latest:
                stamp = (now + timedelta(microseconds=number)).strftime(STAMP)
                path.replace(path.with_name(stamp + path.name[len(stamp) :]))

    def _make_room(self, most: int) -> None:
        while len(self._names) > most:
            (self._folder / self._names[0]).unlink(missing_ok=True)
            self._names.popleft()

    def close(self, within_s: float = CLOSE_WITHIN_S) -> None:
        """Writes what waits and ends; what a hanging disk keeps from being written is lost."""
        self._is_closing.set()
        with suppress(queue.Full):  # else the thread has work, and looks at the end after it
            self._queue.put_nowait(None)
        self._thread.join(within_s)

    def _run(self) -> None:
        written = 0
        while not (self._is_closing.is_set() and self._queue.empty()):
            try:
                item = self._queue.get(timeout=self._prune_interval_s)
            except queue.Empty:  # nobody came by
                self._try(self.prune)
                continue
            if item is None:
                continue
            self._try(self._write, *item)
            written += 1
            if written % PRUNE_EVERY == 0:
                self._try(self.prune)
        self._try(self.prune)

    def _try(self, action: Callable[..., None], *args: Any) -> None:
        """Complains once: a full disk is no reason to end."""
        try:
            action(*args)
        except (OSError, cv2.error) as error:
            if not self._complained:
                log.warning("capture: cannot write to %s: %s", self._folder, in_words(error))
            self._complained = True

    def _write(self, name: str, crop: GreyImage) -> None:
        """Under its name only when it is whole: somebody may be exporting."""
        self._make_room(self._settings.max_pictures - 1)
        _, data = cv2.imencode(".png", crop)
        part = self._folder / PART
        part.write_bytes(data.tobytes())
        part.replace(self._folder / name)
        self._names.append(name)


def _time_of(name: str) -> datetime | None:
    """When a crop was taken; None when its name has no such day."""
    return parse_stamp(name.partition("_")[0])


def open_captures(settings: CaptureSettings, folder: Path, stack: ExitStack) -> CaptureStore | None:
    """The store of a daemon, where faces are to be collected.

    What was collected before it was switched off still goes when it is too old.

    Raises:
        ConfigurationError: the folder can never be written to.
    """
    enabled = settings.enabled
    try:
        if not (enabled or list_captures(folder)):
            return None
        captures = CaptureStore(folder, settings)
    except OSError as error:
        problem = f"capture: cannot write to {folder}: {error.strerror}"
        if not is_storage_trouble(error):
            raise ConfigurationError(f"{problem}; see device.state_dir") from error
        log.error("%s; nothing is collected", problem)
        return None
    stack.callback(captures.close)
    if not enabled:
        return None
    log.warning(
        "capture: faces are being stored in %s; the screen says so, and where there is none, "
        "telling people is up to you", folder,
    )  # fmt: skip
    return captures


def list_captures(folder: Path) -> list[Path]:
    """Collected crops, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if NAME.fullmatch(path.name))


def export_captures(folder: Path, target: Path) -> int:
    """Copies the crops to ``target/<expression>/`` and lists them in ``target/captured.csv``.

    The list is what ``training add-captured`` reads. It is written last and as a whole, so where
    it lies, all the files lie that it names. Crops that went meanwhile or were cut off by a power
    cut are left out.

    Returns:
        How many.

    Raises:
        UsageError: the target holds another export.
        OSError: the target cannot be written.
    """
    listing = target / LISTING
    if listing.exists():
        raise UsageError(f"{listing} is there already; choose a new folder")
    rows = []
    with acting_as_owner(folder) as place:
        names = [path.name for path in list_captures(place)]
    for name in names:
        match = NAME.fullmatch(name)
        assert match
        with acting_as_owner(folder) as place:
            content = _read_crop(place / name)
        if content is None:
            continue
        with acting_as_owner(target) as place:
            write_atomically(place / match[2] / name, content, mode=0o600)
        rows.append((f"{match[2]}/{name}", match[2], f"{int(match[3]) / 100:.2f}"))
    if rows:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
        with acting_as_owner(target) as place:
            write_atomically(place / LISTING, text.getvalue().encode(), mode=0o600)
    return len(rows)


def _read_crop(path: Path) -> bytes | None:
    """The file, or None when it is gone or no picture."""
    try:
        content = read_file(path, MAX_CROP_BYTES, os.O_NOFOLLOW)
    except FileNotFoundError:  # the daemon has just removed it
        return None
    except OSError as error:
        log.warning("%s: left out: %s", path, error.strerror)
        return None
    if not content or cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE) is None:
        log.warning("%s: damaged, left out", path)
        return None
    return content


def clear_captures(folder: Path) -> int:
    """Deletes all collected crops and returns how many there were."""
    with acting_as_owner(folder) as place:
        captures = list_captures(place)
        for path in [*captures, place / PART]:
            path.unlink(missing_ok=True)  # the daemon may remove the oldest meanwhile
    return len(captures)
