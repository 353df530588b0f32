"""``python -m tests.fleet``: N simulated devices against one mosquitto on this machine."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.broker import MOSQUITTO
from tests.fleet.measure import measure


def main() -> int:
    """Prints the figures as JSON; 1 when an event was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.fleet", description=__doc__)
    parser.add_argument("--devices", type=int, default=1000, metavar="N")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=1.0, help="events a second and device")
    args = parser.parse_args()
    if not MOSQUITTO:
        print("mosquitto is not installed; see tests/install-mosquitto.sh", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(args.devices, args.seconds, args.rate, Path(folder))
    print(figures.to_json())
    return int(figures.lost > 0)


if __name__ == "__main__":
    sys.exit(main())
