"""``python -m training``: one command each for what happens on the workstation."""

from __future__ import annotations

import argparse
import shlex
import sys

from device.errors import MienError


def main() -> int:
    """Runs one command; explainable failures are one line and an exit status."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    from training import classifier, evaluate, evaluate_gan, hog_svm, report
    from training.gan import command as generators

    for module in (classifier, evaluate, hog_svm, report):
        module.add_arguments(commands)
    generators.add_arguments(commands)
    evaluate_gan.add_arguments(commands)
    arguments = parser.parse_args()
    try:
        return int(arguments.run(arguments, shlex.join(sys.argv[1:])))
    except MienError as error:
        print(f"training: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
