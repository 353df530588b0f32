"""``mien web password``: makes the line that ``web.password_hash`` or its file wants."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Mapping

from device.errors import UsageError
from device.web.password import LEAST_CHARACTERS, MOST_CHARACTERS, make_hash


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's actions."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    said = "ask for a password (or read it from a pipe) and print the line for web.password_hash"
    actions.add_parser("password", help=said, description=said.capitalize() + ".")


def main(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Prints the line alone, so that it can be written to a file."""
    print(make_hash(_ask()))
    return 0


def _ask() -> str:
    """The password: typed twice, or one line of a pipe.

    Raises:
        UsageError: too short, too long, or not the same twice.
    """
    if sys.stdin.isatty():
        password = getpass.getpass("Password for the page: ")
        if password != getpass.getpass("Once more: "):
            raise UsageError("these were two different passwords; nothing was made")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        raise UsageError(f"a password has {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters")
    return password
