"""``mien run``: the daemon.

Without a configuration: the demo source, an embedded broker on loopback, text in the terminal;
and what commands or the page change lasts until its end.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import cv2

from device.camera.replay import require_playable
from device.cli.arguments import given_path
from device.daemon.build import Surroundings, open_daemon
from device.daemon.build_mqtt import BrokerSide
from device.daemon.paths import state_folder
from device.errors import ConfigurationError, MienError
from device.pipeline import run
from device.settings import Settings, load_settings
from device.settings.tree import Web
from device.vocabulary import Status
from device.web.server import is_free

log = logging.getLogger("mien")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--source", type=given_path, metavar="PATH", help="replay this instead of a camera"
    )


def main(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Runs until SIGTERM or Ctrl-C (both exit 0) or the end of the source."""
    settings = load_settings(args.config, environment)
    asked_port = settings.web.port
    if args.config is None:
        settings = replace(settings, camera=replace(settings.camera, source="demo"))
        if settings.display.backend == "auto":  # never a newcomer's console
            settings = replace(settings, display=replace(settings.display, backend="terminal"))
        if "MIEN_WEB__ENABLED" not in environment:
            settings = replace(settings, web=_page_of_demo(settings, args.source is None))
    if args.source:
        require_playable(args.source)  # what is not there is told before anything is opened
        camera = replace(settings.camera, source="replay", path=str(args.source))
        settings = replace(settings, camera=camera)
    _log_to_stderr(settings.log.level)
    cv2.setNumThreads(settings.classifier.threads)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    around = Surroundings(
        sys.stdout,
        color="NO_COLOR" not in environment,
        under_systemd="NOTIFY_SOCKET" in environment,
        state_dir=state_folder(settings.device.state_dir, environment),
        stop=stop.set,
        remembers=args.config is not None,
    )
    with open_daemon(settings, around) as (parts, control, broker):
        _tell(settings, parts.status, broker)
        if settings.web.port != asked_port:
            log.info("port %d is taken: the page has another one", asked_port)
        if args.config is None:
            log.info("without --config FILE, changed settings and a pause end with this run")
        try:
            run(parts, control.carry_out, stop.is_set)
        except ConfigurationError as error:  # it worked at the start: not for a person to mend
            raise MienError(str(error)) from error
    return 0


def _page_of_demo(settings: Settings, is_portrait: bool) -> Web:
    """The page on this machine; the demo's portrait is in the public domain and may be seen."""
    web = settings.web
    is_taken = web.port == settings.health.prometheus_port or not is_free(web.address, web.port)
    port = 0 if is_taken else web.port
    return replace(web, enabled=True, port=port, show_camera=web.show_camera or is_portrait)


def _tell(settings: Settings, status: Status, broker: BrokerSide) -> None:
    """One line that says what runs, and for the demo the line that follows it."""
    named = f"camera {settings.camera.source}"
    if status.model:  # none in safe mode
        named += f", detector {status.detector}, model {status.model}"
    log.info("%s runs: %s", broker.publisher.identity.device_id, named)
    if not settings.mqtt.host:
        access = broker.reach()
        topics = f"{settings.mqtt.prefix}/#"
        follow = f"mosquitto_sub -h {access.host} -p {access.port} -t '{topics}' -v"
        log.info("follow it with: %s", follow)
        log.info("or with:        %s watch --broker %s", _program(), access)


def _program() -> str:
    """What starts ``mien`` in a shell: in a clone it is not on the path."""
    if shutil.which("mien"):
        return "mien"
    beside = Path(sys.executable).with_name("mien")
    return os.path.relpath(beside) if beside.exists() else f"{sys.executable} -m device"


def _log_to_stderr(level: str) -> None:
    """Lines for the journal, which adds the time itself."""
    logging.basicConfig(
        stream=sys.stderr, level=level.upper(), format="%(levelname)s %(name)s: %(message)s"
    )
