"""Commands from the network: read, checked against their schemas, limited, queued for the loop.

Which commands there are, ``schemas/command-*.json`` say; what they do, ``daemon/commands.py``.
Whatever arrives here comes from strangers. Nothing in it is trusted, nothing makes it wait, and
what cannot be carried out is answered with a sentence.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import fastjsonschema

from device.errors import CommandError
from device.mqtt.packets import ReplyTo
from device.mqtt.schemas import names, read_schema

log = logging.getLogger("mien.commands")

SCHEMA = "command-"  # and the command's name
NAMES = tuple(name.removeprefix(SCHEMA) for name in names() if name.startswith(SCHEMA))
MAX_BYTES = 4096
MAX_WAITING = 20
BURST, PER_SECOND = 20, 5.0
ANSWERABLE = re.compile(r"[a-z][a-z-]{0,31}")


class Respond(Protocol):
    """Answers one command, wherever it came from."""

    def __call__(
        self, transaction: str | None = None, *, data: Any = None, error: str = ""
    ) -> None:
        """Says what came of it: ``error`` where it could not be carried out."""


def _respond_to_nobody(
    transaction: str | None = None, *, data: Any = None, error: str = ""
) -> None:
    """Until whoever asked is known."""


@dataclass(frozen=True)
class Command:
    """A valid command.

    Attributes:
        name: one of NAMES.
        transaction: comes back in the response.
        arguments: the other keys, as the schema allows them.
        respond: called once with what came of it.
    """

    name: str
    transaction: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    respond: Respond = _respond_to_nobody


class Responder(Protocol):
    """Where answers go: ``MqttPublisher.respond``."""

    def __call__(
        self,
        name: str,
        transaction: str | None,
        *,
        data: Any = None,
        error: str = "",
        reply_to: ReplyTo | None = None,
    ) -> None:
        """Answers a command."""


class CommandReader:
    """Turns bytes into commands; the schemas are compiled once."""

    def __init__(self) -> None:
        self._check = {
            name: fastjsonschema.compile(read_schema(f"{SCHEMA}{name}")) for name in NAMES
        }

    def read(self, name: str, payload: bytes) -> Command:
        """The command.

        Raises:
            CommandError: unknown, too long, not JSON, or not as its schema says.
        """
        if len(payload) > MAX_BYTES:
            raise CommandError(f"{len(payload)} bytes are too many; at most {MAX_BYTES}")
        try:
            body = json.loads(payload, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise CommandError(f"not JSON: {str(error)[:100]}") from error
        transaction = body.get("transaction") if isinstance(body, dict) else None
        if not isinstance(transaction, str) or len(transaction) > 100:
            transaction = None
        if name not in self._check:
            raise CommandError(f"unknown command; known: {', '.join(NAMES)}", transaction)
        try:
            self._check[name](body)
        except fastjsonschema.JsonSchemaException as error:
            raise CommandError(in_words(error), transaction) from error
        arguments = {key: value for key, value in body.items() if key != "transaction"}
        return Command(name, transaction, arguments)


def in_words(error: fastjsonschema.JsonSchemaValueException) -> str:
    """What a command has or lacks, without the schema's vocabulary."""
    where = str(error.name).removeprefix("data").lstrip(".") or "the command"
    if error.rule == "additionalProperties":
        known = set(error.definition.get("properties", {})) - {"transaction"}
        odd = ", ".join(sorted(set(error.value) - known - {"transaction"}))
        if not known:
            return f"{where} takes no arguments, but there is {odd}"[:300]
        return f"{where}: unknown {odd}; known: {', '.join(sorted(known))}"[:300]
    if error.rule == "minProperties":
        names = ", ".join(error.definition["properties"])
        return f"{where} is empty; name at least one of: {names}"[:300]
    if error.rule == "required":
        return f"{where}: lacks {', '.join(sorted(set(error.rule_definition) - set(error.value)))}"
    return str(error.message).replace(str(error.name), where, 1)[:300]


class CommandQueue:
    """Takes messages in the network thread, hands commands to the loop.

    Args:
        respond: where commands over MQTT are answered.
        clock: monotonic, for the limit on floods.
    """

    def __init__(self, respond: Responder, clock: Callable[[], float] = time.monotonic) -> None:
        self._respond, self._clock = respond, clock
        self._reader = CommandReader()
        self._lock = threading.Lock()
        self._waiting: deque[Command] = deque()
        self._tokens, self._refilled_s = float(BURST), clock()
        self._flooded = self._told_retained = False
        self.refused = 0

    def receive(
        self, topic: str, payload: bytes, retained: bool, reply_to: ReplyTo | None = None
    ) -> None:
        """A message on ``command/<name>``."""
        name = topic.rsplit("/", 1)[-1]
        if retained:  # a broker would repeat it at every connect
            self.refused += 1
            if not self._told_retained:
                self._told_retained = True
                log.warning("retained commands are ignored (%s); publish without retain", name[:40])
            return
        if not payload:  # how a retained message is taken back: the clean-up must not carry it out
            log.info("command %r ignored: empty; without arguments it is {}", name[:40])
            return
        respond = partial(self._answer, name, reply_to)
        if self._may_pass(respond):
            self.submit(name, payload, respond)

    def submit(self, name: str, payload: bytes, respond: Respond) -> None:
        """Takes a command from anywhere; whoever asks limits how many.

        Args:
            name: whatever was asked for.
            payload: the arguments, a JSON object.
            respond: called once: now where the command is refused, else in the loop's thread.
        """
        try:
            command = replace(self._reader.read(name, payload), respond=respond)
            with self._lock:
                if len(self._waiting) >= MAX_WAITING:
                    raise CommandError("too many commands wait", command.transaction)
                self._waiting.append(command)
        except CommandError as error:
            self.refused += 1
            respond(error.transaction, error=str(error))

    def take(self) -> list[Command]:
        """What has arrived since the last call."""
        with self._lock:
            commands, self._waiting = list(self._waiting), deque()
        return commands

    def _answer(
        self,
        name: str,
        reply_to: ReplyTo | None,
        transaction: str | None = None,
        *,
        data: Any = None,
        error: str = "",
    ) -> None:
        """Over MQTT; a name that cannot stand in a topic is only logged."""
        if ANSWERABLE.fullmatch(name):
            self._respond(name, transaction, data=data, error=error, reply_to=reply_to)
        else:
            log.info("command %r ignored: %s", name[:40], error)

    def _may_pass(self, respond: Respond) -> bool:
        """A bucket of tokens; says once that it is empty, and counts."""
        now_s = self._clock()
        self._tokens = min(BURST, self._tokens + (now_s - self._refilled_s) * PER_SECOND)
        self._refilled_s = now_s
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            self._flooded = self._flooded and self._tokens < BURST / 2
            return True
        self.refused += 1
        if not self._flooded:
            self._flooded = True
            log.warning("too many commands: more than %g a second are ignored", PER_SECOND)
            respond(error=f"too many commands; at most {PER_SECOND:g} a second")
        return False


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
