"""How both programs, ``training`` and ``export``, run one command and say what went wrong."""

from __future__ import annotations

import argparse
import sys

from device.errors import MienError
from training.classifier.ranges import check_ranges
from training.files import reason

INTERRUPTED = 130


def run_command(program: str, arguments: argparse.Namespace, command: str) -> int:
    """Runs what the command line asks for.

    Args:
        program: its name, for the errors.
        arguments: with ``run``, the command's function.
        command: as it was typed.

    Returns:
        The exit status; explainable failures are one line.
    """
    try:
        check_ranges(arguments)
        return int(arguments.run(arguments, command))
    except MienError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return error.exit_status
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        print(f"{program}: {named}{reason(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
