"""``mien capture``: hands over or deletes the collected faces."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from device.cli.arguments import given_path
from device.daemon.collected_faces import clear_captures, export_captures
from device.daemon.ownership import require_access
from device.daemon.paths import service_settings, state_folder
from device.errors import UsageError
from device.settings import load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    export = actions.add_parser("export", help="copy and list them for training")
    export.add_argument("target", type=given_path, metavar="DIR", help="gets captured.csv, folders")
    actions.add_parser("clear", help="delete them")


def main(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Prints how many faces were copied or deleted."""
    settings = load_settings(service_settings(args.config), environment)
    folder = require_access(state_folder(settings.device.state_dir, environment)) / "capture"
    if args.action == "clear":
        try:
            print(f"{clear_captures(folder)} faces deleted from {folder}")
        except OSError as error:
            raise UsageError(f"{folder}: cannot delete: {error.strerror}") from error
        return 0
    if not folder.is_dir():
        raise UsageError(f"{folder}: no faces were collected there")
    try:
        count = export_captures(folder, args.target)
    except OSError as error:
        raise UsageError(f"cannot copy from {folder} to {args.target}: {error.strerror}") from error
    if not count:
        raise UsageError(f"{folder}: no faces were collected there")
    print(f"{count} faces copied to {args.target}")
    return 0
