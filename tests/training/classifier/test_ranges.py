from __future__ import annotations

import argparse

import pytest

from device.errors import UsageError
from training.classifier.train import add_arguments, recipe_of
from training.gan import command


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["classifier", "--epochs", "0"], "--epochs 0: must be at least 1"),
        (["classifier", "--view-share", "1.5"], "--view-share 1.5: must be from 0 to 1"),
        (["classifier", "--learning-rate", "nan"], "--learning-rate nan: must be a finite number"),
        (["classifier", "--crowd-weight", "-1"], "--crowd-weight -1: must be at least 0"),
        (["stargan", "--steps", "0"], "--steps 0: must be at least 1"),
        (["stargan", "--lambda-mask", "-1"], "--lambda-mask -1: must be at least 0"),
        (["stargan", "--critic-rate", "0"], "--critic-rate 0: must be above 0"),
        (["wgan", "--critic-steps", "0"], "--critic-steps 0: must be at least 1"),
    ],
)
def test_settings_out_of_range_are_refused_before_a_run_is_made(
    words: list[str], message: str
) -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    add_arguments(commands)
    command.add_arguments(commands)
    make = recipe_of if words[0] == "classifier" else command.recipe_of
    with pytest.raises(UsageError, match=message):
        make(parser.parse_args(words))
