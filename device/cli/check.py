"""``mien check``: validates settings, models and detector before anything starts."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from device.daemon.paths import state_folder
from device.errors import ConfigurationError, ModelError
from device.mqtt.access import broker_access
from device.mqtt.identity import make_device_id
from device.settings import Settings, load_settings
from device.settings.hosts import join_address
from device.vision.detector import choose_kind
from device.vision.generator import LazySynthesizer, find_generators
from device.vision.model_store import ModelStore, try_classifier
from device.vision.stage import build_stage
from device.vision.tflite import runtime_name
from device.vision.trial import damaged_shipped, try_out
from device.web.password import configured_hash
from device.web.server import tls_context

CREDENTIALS = "/run/credentials/"  # there only for a service, and only while it runs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


def main(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Prints what would run; the first thing that would not raises its error."""
    settings = load_settings(args.config, environment)
    folder = state_folder(settings.device.state_dir, environment)
    store = ModelStore(folder / "models")
    card, problems = try_classifier(settings, store)
    for problem in problems:
        print(f"mien: {problem}; the model before is used", file=sys.stderr)
    require_shipped()
    stage = build_stage(settings)
    print(f"settings  {args.config or 'built-in defaults'}: good")
    print(f"model     {card.name} {card.version}, self-test passed on {runtime_name()}")
    print(f"landmarks {'good' if stage.landmarks else 'none: faces go without points'}")
    generators = find_generators(store)
    if generators and stage.landmarks:
        try_out(generators[0])
        card = LazySynthesizer(lambda: generators).get().card
        print(f"generator {card.name} {card.version}, self-test passed")
    print(f"detector  {choose_kind(settings.detector.kind)}")
    replayed = Path(settings.camera.path)
    if settings.camera.source == "replay" and not replayed.exists():
        raise ConfigurationError(f"camera.path = {str(replayed)!r}: there is nothing to replay")
    print(f"camera    {settings.camera.source} (not opened; `mien doctor` tries it)")
    require_place("device.state_dir", folder)
    if settings.outbox.path:
        require_place("outbox.path", (folder / settings.outbox.path).parent)
    if settings.mqtt.host:
        mqtt = settings.mqtt
        if mqtt.password_file.startswith(CREDENTIALS):
            print(f"password  {mqtt.password_file}: systemd gives it to the running service")
            mqtt = replace(mqtt, password_file="")
        broker_access(mqtt, make_device_id(settings.device.id))
    print(f"page      {page_line(settings)}")
    print(f"broker    {settings.mqtt.host or 'embedded, loopback only'} (not contacted)")
    return 0


def page_line(settings: Settings) -> str:
    """Where the page would be, after a look at its password and certificate.

    Raises:
        ConfigurationError: one of them cannot be used.
    """
    web = settings.web
    if not web.enabled:
        return "off (web.enabled)"
    if web.password_file.startswith(CREDENTIALS):
        password = f"password from {web.password_file}: systemd gives it to the running service"
    else:
        password = "with a password" if configured_hash(web) else "this device alone, no password"
    scheme = "https" if tls_context(web) else "http"
    picture = ", shows the camera's picture" if web.show_camera else ""
    return f"{scheme}://{join_address(web.address, web.port)} ({password}{picture})"


def require_shipped() -> None:
    """Refuses an installation of whose models the runtime cannot use one, even if nothing asks for it.

    Raises:
        ModelError: so it is.
    """
    damaged = damaged_shipped()
    if damaged:
        raise ModelError(
            f"{runtime_name()} cannot use what came with Mien ({', '.join(damaged)}): "
            f"{next(iter(damaged.values()))}: install Mien again"
        )


def require_place(key: str, folder: Path) -> None:
    """Refuses a folder that is not there and cannot be made; somebody else's is not judged.

    Raises:
        ConfigurationError: so it is.
    """
    nearest = folder
    try:
        while not nearest.exists():
            nearest = nearest.parent
        with tempfile.TemporaryDirectory(dir=nearest, prefix=".mien-check-"):
            return
    except PermissionError:
        return
    except OSError as error:
        raise ConfigurationError(
            f"{key}: nothing can be written to {folder}: {nearest}: {error.strerror}"
        ) from error
