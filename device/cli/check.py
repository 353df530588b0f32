"""``mien check``: validates settings, models and detector before anything starts."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from device.daemon.paths import REMEMBERED, explain_place, require_places, state_folder
from device.daemon.state_file import look_at
from device.errors import ConfigurationError, MienError, ModelError
from device.files import in_words
from device.mqtt.access import broker_access
from device.mqtt.identity import make_device_id
from device.settings import Settings, load_settings
from device.settings.hosts import join_address
from device.settings.tree import Camera, Web
from device.vision.detector import choose_kind
from device.vision.generator import choose_generator
from device.vision.model_store import ModelStore, try_classifier
from device.vision.stage import build_stage
from device.vision.tflite import runtime_name
from device.vision.trial import damaged_shipped
from device.web.password import configured_hash
from device.web.server import tls_context

CREDENTIALS = "/run/credentials/"  # there only for a service, and only while it runs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


def main(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Prints what would run; what would not is raised as one error of a line each."""
    settings = load_settings(args.config, environment)
    folder = state_folder(settings.device.state_dir, environment)
    said, wrong = list[str](), list[MienError]()
    steps: list[Callable[[], Iterable[str] | None]] = [
        lambda: model_lines(settings, ModelStore(folder / "models")),
        lambda: camera_lines(settings.camera),
        lambda: require_places(settings, folder),
        lambda: require_place("device.state_dir", folder),
        lambda: require_outbox_place(settings.outbox.path, folder),
        lambda: require_certificate(settings.web),
        lambda: [f"page      {page_line(settings)}"],
        lambda: broker_lines(settings, tls=False),
        lambda: broker_lines(settings, tls=settings.mqtt.tls, password_file=""),
    ]
    for step in steps:
        try:
            said += step() or ()
        except MienError as error:
            wrong.append(error)
        except OSError as error:
            wrong.append(MienError(in_words(error)))
    if wrong:
        raise joined(wrong)
    print(f"settings  {args.config or 'built-in defaults'}: good")
    for line in dict.fromkeys(said):
        print(line)
    if args.config:  # without settings nothing is remembered
        problem, told = look_at(folder / REMEMBERED, settings)
        if problem:
            print(f"mien: {problem}", file=sys.stderr)
        if told:
            print(f"commands  {told}")
    return 0


def joined(errors: Sequence[MienError]) -> MienError:
    """One error with the lines of all; its exit status is 78 where that of one is."""
    first = next((each for each in errors if isinstance(each, ConfigurationError)), errors[0])
    lines = dict.fromkeys(line for each in (first, *errors) for line in each.lines)
    first.others = list(lines)[1:]
    return first


def model_lines(settings: Settings, store: ModelStore) -> Iterator[str]:
    """What sees and synthesizes.

    Raises:
        ModelError, DetectorError: one of them cannot be used.
    """
    card, problems = try_classifier(settings, store)
    for problem in problems:
        print(f"mien: {problem}; the model before is used", file=sys.stderr)
    require_shipped()
    stage = build_stage(settings)
    yield f"model     {card.name} {card.version}, self-test passed on {runtime_name()}"
    yield f"landmarks {'good' if stage.landmarks else 'none: faces go without points'}"
    if stage.landmarks:
        generator, problems = choose_generator(store)
        for problem in problems:
            print(f"mien: {problem}; the shipped generator serves", file=sys.stderr)
        if generator:
            yield f"generator {generator.name} {generator.version}, self-test passed"
    yield f"detector  {choose_kind(settings.detector.kind)}"


def camera_lines(camera: Camera) -> Iterator[str]:
    """The camera, after a look whether there is something to replay.

    Raises:
        ConfigurationError: there is not.
    """
    if camera.source == "replay":
        try:
            Path(camera.path).stat()
        except (FileNotFoundError, NotADirectoryError):
            raise ConfigurationError(
                f"camera.path = {camera.path!r}: there is nothing to replay"
            ) from None
        except OSError as error:
            raise ConfigurationError(
                f"camera.path = {camera.path!r}: cannot read it: {error.strerror}"
            ) from error
    yield f"camera    {camera.source} (not opened; `mien doctor` tries it)"


def broker_lines(settings: Settings, **changes: Any) -> Iterator[str]:
    """The broker, after a look at its files.

    Args:
        settings: the tree.
        changes: of ``[mqtt]``, which leave out what another look is for.

    Raises:
        MienError: a file cannot be used.
    """
    mqtt = replace(settings.mqtt, **changes)
    if mqtt.host:
        if mqtt.password_file.startswith(CREDENTIALS):
            yield f"password  {mqtt.password_file}: systemd gives it to the running service"
            mqtt = replace(mqtt, password_file="")
        broker_access(mqtt, make_device_id(settings.device.id))
    yield f"broker    {mqtt.host or 'embedded, loopback only'} (not contacted)"


def require_certificate(web: Web) -> None:
    """Refuses a certificate of the page that cannot be used; its password is looked at apart."""
    if web.enabled:
        tls_context(web)


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
        reason = error.strerror or str(error)
        raise ConfigurationError(explain_place(key, folder, nearest, reason)) from error


def require_outbox_place(given: str, folder: Path) -> None:
    """Refuses a place for the outbox where nothing can be written.

    Args:
        given: ``outbox.path``.
        folder: the state folder, of which another line tells.

    Raises:
        ConfigurationError: so it is.
    """
    if given and (place := (folder / given).parent) != folder:
        require_place("outbox.path", place)
