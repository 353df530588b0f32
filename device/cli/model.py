"""``mien model``: installs, lists and rolls back models.

A running daemon takes the new one with the command ``reload-model`` (or at its next start).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from device.cli.arguments import given_path, given_text
from device.daemon.ownership import acting_as_owner, require_access
from device.daemon.paths import service_settings, state_folder
from device.settings import Settings, load_settings
from device.vision import MODELS
from device.vision.model_card import read_card
from device.vision.model_store import GENERATOR, ModelStore, find_shipped
from device.vision.trial import try_out


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    install = actions.add_parser("install", help="test a bundle and take it into use")
    install.add_argument(
        "bundle", type=given_path, metavar="BUNDLE", help=".zip or folder: .tflite, card"
    )
    actions.add_parser(
        "list", help="models there are; * those in use, - those that classifier.model could name"
    )
    rollback = actions.add_parser("rollback", help="back to the model before")
    rollback.add_argument(
        "name", nargs="?", type=given_text, metavar="NAME", help="default: the settings' model"
    )


def main(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Carries out one action; a bundle that fails its self-test changes nothing."""
    settings = load_settings(service_settings(args.config), environment)
    state = state_folder(settings.device.state_dir, environment)
    folder = require_access(state, args.action != "list") / "models"
    store = ModelStore(folder, acting_as_owner)
    if args.action == "install":
        card = store.install(args.bundle, try_out)
        print(f"{card.name} {card.version} installed; {what_next(card.name, settings)}")
    elif args.action == "list":
        print("\n".join(listing(store, settings.classifier.model)))
    else:
        name = args.name or settings.classifier.model
        version = store.rollback(name)
        if version or find_shipped(name):
            now = f"{version} again" if version else "the shipped one again"
            print(f"{name} is {now}; {what_next(name, settings)}")
        else:
            print(f"{name} is not installed any more, and none of this name is shipped")
    return 0


def what_next(name: str, settings: Settings) -> str:
    """What has to be done until the model works."""
    if name == GENERATOR:
        return "the next synthesis uses it"
    if name != settings.classifier.model:
        return f'it is used once the settings say classifier.model = "{name}"'
    return "send the command reload-model or restart"


def listing(store: ModelStore, model: str) -> list[str]:
    """A line a model, installed or shipped: mark, name, version, sha256, where it is from."""
    installed = store.list()
    lines = []
    for entry in installed:
        mark = mark_of(entry.name, model) if entry.is_current else " "
        lines.append(f"{mark} {entry.name} {entry.version} {entry.sha256} installed")
    replaced = {entry.name for entry in installed if entry.is_current}
    for path in sorted(MODELS.glob("*.json"), key=lambda path: path.stem):
        card = read_card(path)
        if card.task in ("classify", "synthesize"):
            mark = " " if card.name in replaced else mark_of(card.name, model)
            lines.append(f"{mark} {card.name} {card.version} {card.sha256[:12]} shipped")
    return lines


def mark_of(name: str, model: str) -> str:
    """Of the model that serves under its name."""
    return "*" if name in (model, GENERATOR) else "-"
