"""The variants of ``training ablate``: what each changes of the training that all start from."""

from __future__ import annotations

from dataclasses import replace

from training.classifier.recipe import BALANCES, Recipe
from training.data.augmentation import KINDS, without

BASE = "base"
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
NEEDS_VOTES = ("relabelled by clear FER+ votes",)


def variants_of(recipe: Recipe, has_votes: bool) -> dict[str, tuple[str, list[str]]]:
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


def folder_name(variant: str, seed: int) -> str:
    """Of a variant's run, as ``without-flip-1``."""
    plain = "".join(c if c.isalnum() else " " for c in variant)
    return "-".join([*plain.lower().split(), str(seed)])
