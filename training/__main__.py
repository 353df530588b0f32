"""``python -m training``: one command each for what happens on the workstation."""

from __future__ import annotations

import argparse
import shlex
import sys

from device.errors import MienError
from training.packages import require_packages


def main(words: list[str] | None = None) -> int:
    """Runs one command; explainable failures are one line and an exit status."""
    try:
        require_packages()
    except MienError as error:
        print(f"training: {error}", file=sys.stderr)
        return error.exit_status
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    from training.ablation import ablate
    from training.classifier import chain, evaluate, hog_svm
    from training.classifier import train as classifier
    from training.commands import run_command
    from training.data import captured, posed
    from training.face_check import train as face_check
    from training.face_hog import train as face_hog
    from training.gan import augment as augment_with_gan
    from training.gan import blind_test, evaluate_pictures
    from training.gan import command as generators
    from training.gan import compare as compare_gans
    from training.gan import evaluate as evaluate_gan
    from training.landmarks import train as landmarks
    from training.reports import evaluate_crop, evaluate_detector, evaluate_smoothing, paper, report
    from training.reports import faces as report_faces
    from training.sequences import evaluate as evaluate_sequences

    for module in (classifier, chain, ablate, evaluate, hog_svm, report, generators, evaluate_gan, compare_gans,
                   augment_with_gan, evaluate_pictures, blind_test, captured, posed, face_check, face_hog, landmarks, evaluate_detector,
                   evaluate_crop, evaluate_smoothing, evaluate_sequences, report_faces, paper):  # fmt: skip
        module.add_arguments(commands)
    words = sys.argv[1:] if words is None else words
    arguments = parser.parse_args(words)
    return run_command("training", arguments, shlex.join(words))


if __name__ == "__main__":
    sys.exit(main())
