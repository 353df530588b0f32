"""The variants of ``training ablate``: what each changes of the training that all start from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from device.errors import UsageError
from training.classifier.recipe import BALANCES, Recipe
from training.classifier.train import DATA, VOTES
from training.data.augmentation import KINDS, without

BASE = "base"
OTHER_DATA = "pictures"
ALL_KINDS = [word for kind in KINDS for word in ("--without", kind)]

# Options of `training classifier`, by group and name.
GROUPS: dict[str, dict[str, list[str]]] = {
    "": {BASE: []},
    "cleaning": {
        "nothing removed": ["--keep-all"],
        "repeated and leaked removed": ["--keep-faceless"],
        "faceless by Haar removed, too": ["--detect"],
        "relabelled by clear FER+ votes": ["--relabel"],
    },
    "augmentation": {
        **{f"without {kind}": ["--without", kind] for kind in KINDS},
        "none": ALL_KINDS,
    },
    "normalization": {"pixels from 0 to 255": ["--no-normalization"]},
    "balance": {f"class {name}": ["--balance", name] for name in BALANCES if name != "none"},
}
Variants = dict[str, tuple[str, list[str]]]  # group and options by name
NEEDS_VOTES = ("relabelled by clear FER+ votes",)


def variants_of(recipe: Recipe, has_votes: bool) -> Variants:
    """Group and options by the variant's name; those that change nothing are left out.

    Args:
        recipe: that all variants start from.
        has_votes: the FER+ votes are there.
    """
    variants = {}
    for group, members in GROUPS.items():
        for name, words in members.items():
            kinds = words[1::2] if words[:1] == ["--without"] else []
            same = replace(recipe, augmentation=without(recipe.augmentation, kinds)) == recipe
            if (kinds and same) or (name in NEEDS_VOTES and not has_votes):
                continue
            variants[name] = (group, words)
    return variants


def on_other_data(named: list[str]) -> Variants:
    """Variants that learn other pictures than the base.

    Args:
        named: each as ``NAME=FOLDER``; the folder holds ``fer2013.csv`` and ``fer2013new.csv``.

    Raises:
        UsageError: another form, or the folder lacks one of them.
    """
    variants: Variants = {}
    for words in named:
        name, equals, folder = words.partition("=")
        if not (name and equals and folder):
            raise UsageError(f"--also {words!r}: must be NAME=FOLDER")
        data, votes = Path(folder) / DATA.name, Path(folder) / VOTES.name
        for path in (data, votes):
            if not path.is_file():
                raise UsageError(f"--also {name}: {path} is not there")
        variants[name] = (OTHER_DATA, ["--data", str(data), "--votes", str(votes)])
    return variants


def folder_name(variant: str, seed: int) -> str:
    """Of a variant's run, as ``without-flip-1``."""
    plain = "".join(c if c.isalnum() else " " for c in variant)
    return "-".join([*plain.lower().split(), str(seed)])
