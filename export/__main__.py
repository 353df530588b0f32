"""``python -m export``: from a run to what the board may run, and how good that is."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from device.errors import MienError
from training.packages import require_packages


def main(words: list[str] | None = None) -> int:
    """Runs one command; explainable failures are one line and an exit status."""
    try:
        require_packages()
    except MienError as error:
        print(f"export: {error}", file=sys.stderr)
        return error.exit_status
    from export import (
        benchmark,
        calibrate,
        classifier,
        face_check,
        face_hog,
        generator,
        landmarks,
        measure,
    )
    from training.commands import run_command

    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for module in (classifier, generator, landmarks, face_check, face_hog, calibrate,
                   measure, benchmark):  # fmt: skip
        module.add_arguments(commands)
    words = sys.argv[1:] if words is None else words
    arguments = parser.parse_args(words)
    return run_command("export", arguments, shown(words))


def shown(words: list[str]) -> str:
    """The command as a card may quote it: files of other folders by their names only."""
    return shlex.join(Path(word).name if word.startswith("/") else word for word in words)


if __name__ == "__main__":
    sys.exit(main())
