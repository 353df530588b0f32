"""The self-test of a model that did not come with Mien, in a process of its own.

A damaged model may crash the runtime, hang or ask for any amount of memory. The trial loads it and
runs its self-test; the daemon loads only what has passed. A hostile one may do anything that the
process may: root gives its rights up before the model is loaded.
Run as ``python -m device.vision.trial`` with the paths on stdin, a NUL between two: what is wrong
with the first that fails is said on stdout.
"""

from __future__ import annotations

import hashlib
import math
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from device import __version__
from device.errors import ModelError, TrialNotDoneError
from device.files import read_file
from device.vision import MODELS
from device.vision.model_card import ModelCard, read_model, require_task
from device.vision.tflite import load_runtime
from device.vision.trial_user import foreign_owner, step_down

MAX_S = 20  # less than the watchdog's 30
MAX_CPU_S = 10  # of the processor, after the libraries are loaded; a sound model takes below 1
MAX_DATA = 256 << 20  # bytes beside the libraries' own; a sound model takes less than 20 MB
NOT_DONE = 75  # exit status for TrialNotDoneError, as in sysexits.h: a failure that may pass
PASSED = "passed"  # beside an installed model: what has passed there
MODULE, ROOT = __spec__.name, Path(__file__).parents[2]


def try_out(*paths: Path) -> None:
    """Has a child process load models and take each through its self-test.

    Args:
        paths: of the ``.tflite`` files; the sentence about a crash, a hang or memory names the
            first of them. Several are for what came with Mien alone: for another one root steps
            down, and may not be able to read the next.

    Raises:
        TrialNotDoneError: the board had no time or no memory for it: no fault of the model's is known.
        ModelError: one fails, crashes, computes for too long or takes too much memory.
    """
    path = paths[0]
    places = os.pathsep.join([str(ROOT), *filter(None, sys.path)])  # the same runtime as here
    command = [
        "env",
        "OPENBLAS_NUM_THREADS=1",
        f"PYTHONPATH={places}",
        sys.executable,
        "-m",
        MODULE,
    ]
    given = b"\0".join(os.fsencode(each.absolute()) for each in paths)
    try:
        # Python imports from the folder it is started in, which may be anybody's.
        done = subprocess.run(command, input=given, capture_output=True, timeout=MAX_S, cwd=ROOT)
    except subprocess.TimeoutExpired as error:
        late = f"{path}: the self-test cannot be finished: it takes more than {MAX_S} s"
        raise TrialNotDoneError(late) from error
    except OSError as error:
        raise TrialNotDoneError(f"{path}: the self-test cannot be started: {error}") from error
    _judge(done, path)


def _judge(done: subprocess.CompletedProcess[bytes], path: Path) -> None:
    """Raises what ``try_out`` says of a child that has ended otherwise than well."""
    if done.returncode == -signal.SIGKILL:  # as the kernel does where memory is short
        raise TrialNotDoneError(
            f"{path}: the self-test cannot be finished: the system has killed it"
        )
    if done.returncode == -signal.SIGXCPU:
        raise ModelError(f"{path}: self-test failed: it computes for more than {MAX_CPU_S} s")
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise ModelError(f"{path}: self-test failed: the model crashes the runtime ({name})")
    if done.returncode:
        said = done.stdout.decode(errors="replace").strip()
        if not said:
            told = done.stderr.decode(errors="replace").strip() or "no answer"
            said = f"{path}: self-test failed: {told.splitlines()[-1]}"
        told = said.splitlines()[-1].replace(str(path.absolute()), str(path))
        raise (TrialNotDoneError if done.returncode == NOT_DONE else ModelError)(told)


def require_trial(path: Path) -> None:
    """Tries out a model that did not come with Mien, unless it has passed here before.

    Raises:
        ModelError: as for ``try_out``, or unreadable.
    """
    if path.parent in (MODELS, MODELS.resolve()):
        return
    mark = passed_mark(*read_model(path))
    path = path.resolve()  # an installed one is found through a link
    if _is_marked(path, mark):
        return
    try_out(path)
    if path.parent.parent.name == path.stem and not foreign_owner(path):
        # Installed: beside others nothing is written. Nor does root write into somebody's folder.
        with suppress(OSError):
            path.with_name(PASSED).write_bytes(mark)


def has_passed(path: Path) -> bool:
    """Whether an installed model has passed its self-test under this version of Mien."""
    try:
        return _is_marked(path.resolve(), passed_mark(*read_model(path)))
    except ModelError:
        return False


def _is_marked(path: Path, mark: bytes) -> bool:
    try:
        return read_file(path.with_name(PASSED), len(mark)) == mark
    except OSError:
        return False


def damaged_shipped() -> dict[str, str]:
    """Why the installed runtime cannot use what came with Mien: name -> reason; empty when it can.

    BlazeFace has no card and is not among them: ``build_detector`` tries it.
    """
    paths = [card.with_suffix(".tflite") for card in sorted(MODELS.glob("*.json"))]
    with suppress(ModelError):
        try_out(*paths)  # one process for all of them, which is nearly always enough
        return {}
    found = {}
    for path in paths:
        try:
            try_out(path)
        except ModelError as error:
            found[path.stem] = str(error)
    return found


def passed_mark(content: bytes, card: ModelCard) -> bytes:
    """What stands in ``PASSED`` beside a model that this version of Mien has tried out."""
    return hashlib.sha256(f"{__version__} {card.to_json()}".encode() + content).hexdigest().encode()


def check(path: Path, ready: Callable[[Path], None] = lambda path: None) -> None:
    """The whole self-test, in this process.

    Args:
        path: of the ``.tflite``.
        ready: called with the path once all is read and imported, before the runtime gets the
            model: afterwards the program's own files may be out of reach.

    Raises:
        ModelError: it fails.
    """
    from device.vision.classifier import TFLiteClassifier  # slow to import for whoever only asks
    from device.vision.face_check import FaceCheck
    from device.vision.landmarks import SHIPPED, LandmarkModel
    from device.vision.synthesizer import Synthesizer

    content, card = read_model(path)
    if card.task == "detect":
        require_task(path, card, "classify")
    if card.task == "synthesize":
        LandmarkModel.load(SHIPPED)  # places the crops
    with suppress(ModelError):  # told below, with the path
        load_runtime()
    ready(path)
    try:
        if card.task == "synthesize":
            Synthesizer(content, card)
        elif card.task in ("landmarks", "check"):
            (LandmarkModel if card.task == "landmarks" else FaceCheck)(content).check()
        else:
            TFLiteClassifier(content, card, "natural", threads=1)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def mapped() -> int:
    """Bytes of memory of its own that this process has mapped, used or not; 0 where nobody says."""
    status = ""
    with suppress(OSError):
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return next(
        (int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmData:")),
        0,
    )


def main(paths: Iterable[Path]) -> int:
    """Limits this process and tests the models.

    What the libraries map is not the model's: OpenBLAS alone reserves 230 MB on arm64.
    """
    import cv2  # noqa: F401
    import numpy  # noqa: F401

    most_data, most_cpu_s = mapped() + MAX_DATA, math.ceil(time.process_time()) + MAX_CPU_S
    limits = (
        (resource.RLIMIT_DATA, most_data, most_data),
        (resource.RLIMIT_CPU, most_cpu_s, most_cpu_s + 1),  # SIGXCPU, which nobody else sends
        (resource.RLIMIT_CORE, 0, 0),
    )
    for kind, soft, hard in limits:
        with suppress(OSError, ValueError):  # a service may be forbidden to
            resource.setrlimit(kind, (soft, hard))
    for path in paths:
        try:
            check(path, step_down)
        except (ModelError, MemoryError) as error:
            too_much = f"{path}: self-test failed: more than {MAX_DATA >> 20} MiB of memory"
            print(" ".join(str(error).splitlines()) or too_much)
            return NOT_DONE if isinstance(error, TrialNotDoneError) else ModelError.exit_status
    return 0


if __name__ == "__main__":
    given = sys.stdin.buffer.read().split(b"\0")
    sys.exit(main(Path(os.fsdecode(each)) for each in given))
