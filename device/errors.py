"""The error tree: each message is one sentence that names the thing and the remedy.

MienError                    exit status 1
├── ConfigurationError       78: a setting, or a model and card that do not fit
│   ├── ModelError           78: model file or card truncated, mismatched, failed self-test
│   │   └── TrialNotDoneError 78: the board could not carry the self-test out: it may pass later
│   └── DetectorError        78: OpenCV without Haar or HOG, a detector's files missing
├── UsageError               2: a command line that cannot be carried out
├── StorageError             1: a disk that is full, read-only or failing
├── CommandError             none: a command over MQTT that cannot be carried out is answered
├── CameraError              1: not found, busy, stopped, unreadable source
│   └── CameraAbsentError    1: this kind of camera is not here at all, another may be
└── BrokerError              1: refused, unreachable (only fatal for `mien watch`)
"""

import errno
from collections.abc import Sequence


class MienError(Exception):
    """Anything Mien can explain in one line.

    Attributes:
        others: what else is wrong, a line each.
    """

    exit_status = 1
    others: Sequence[str] = ()

    @property
    def lines(self) -> list[str]:
        """All that is wrong."""
        return [str(self), *self.others]


class ConfigurationError(MienError):
    """A setting is unknown, of the wrong type or out of range."""

    exit_status = 78

    def __init__(self, message: str, others: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.others = others


class ModelError(ConfigurationError):
    """A model file and its card cannot be used."""


class TrialNotDoneError(ModelError):
    """The board could not carry a self-test out; it says nothing about the model."""


class UsageError(MienError):
    """The command line asks for something that cannot be done."""

    exit_status = 2


class StorageError(MienError):
    """A disk is full, read-only or failing: the device goes on without it."""


def is_storage_trouble(error: Exception) -> bool:
    """True for what a disk does, not a setting: it may be over after a restart or a new card."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
    words = ("disk is full", "disk I/O error", "readonly database")  # SQLite's
    return any(word in str(error) for word in words)


class CameraError(MienError):
    """The camera or replay source cannot deliver frames."""


class CameraAbsentError(CameraError):
    """This kind of camera is not here at all: another kind may be."""


class DetectorError(ConfigurationError):
    """The face detector cannot be built with what is installed."""


class CommandError(MienError):
    """A command that cannot be carried out; the text is the answer.

    Attributes:
        transaction: of the command, where it could be read.
    """

    def __init__(self, message: str, transaction: str | None = None) -> None:
        super().__init__(message)
        self.transaction = transaction


class BrokerError(MienError):
    """The MQTT broker refused or cannot be reached."""
