"""From TOML text to the settings tree, or one line that says file, line, key, value, allowed."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import reprlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from device.errors import ConfigurationError, StorageError, is_storage_trouble
from device.files import read_file
from device.settings.hosts import is_host, without_password
from device.settings.tree import MOST_IN_MEMORY, Mqtt, Settings, Web

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ENVIRONMENT_PREFIX = "MIEN_"
MAX_FILE_BYTES = 64 << 10
MAX_DOTS = 100  # in a line
MAX_WHOLE = 1 << 53  # larger whole numbers are no floats
MOST_TOLD = 20  # mistakes of one file
SURROGATE = re.compile("[\ud800-\udfff]")  # in place of bytes of a variable that are no UTF-8
Given = tuple[str, Any, str]  # key, value, place


def load_settings(path: Path | None, environment: Mapping[str, str] | None = None) -> Settings:
    """Reads a settings file and the environment's ``MIEN_SECTION__KEY`` over it.

    Args:
        path: the TOML file; None for defaults alone.
        environment: variables by name; None for none.

    Raises:
        ConfigurationError: unreadable file, bad TOML, unknown key, wrong type or range; each of
            several mistakes is told.
        StorageError: the disk fails; it may be over at the next start.
    """
    settings, lines, wrong = Settings(), dict[str, int](), list[str]()
    given: list[Given] = []
    if path is not None:
        text = _read(path)
        lines = _lines_of(text)
        given, wrong = _given_by_file(path, _parse_file(path, text), lines)
    for dotted, value, where in [*given, *_given_by_environment(environment or {})]:
        try:
            settings = replace_setting(settings, dotted, value, where)
        except ConfigurationError as error:
            wrong.append(str(error))
    _tell(wrong)

    def place_of(dotted: str) -> str:
        """The variable or the line of the file that gave a key."""
        section, _, name = dotted.partition(".")
        variable = f"{ENVIRONMENT_PREFIX}{section}__{name}".upper()
        if variable in (environment or {}):
            return f"environment {variable}"
        return f"{path}:{lines.get(dotted, lines.get(section, 1))}" if path else "settings"

    _tell(_check_together(settings, place_of))
    return settings


def _given_by_file(
    path: Path, tables: Mapping[str, Any], lines: Mapping[str, int]
) -> tuple[list[Given], list[str]]:
    """What the file gives, and what is wrong with its sections."""
    given, wrong = list[Given](), list[str]()
    for section, table in tables.items():
        begins = lines.get(section, 1)
        try:
            _require_section(section, table, f"{path}:{begins}")
        except ConfigurationError as error:
            wrong.append(str(error))
            continue
        dotted = ((f"{section}.{name}", value) for name, value in table.items())
        given += [(key, value, f"{path}:{lines.get(key, begins)}") for key, value in dotted]
    return given, wrong


def _given_by_environment(environment: Mapping[str, str]) -> Iterator[Given]:
    """What ``MIEN_SECTION__KEY`` give."""
    for variable, value in sorted(environment.items()):
        if variable.startswith(ENVIRONMENT_PREFIX) and "__" in variable:
            dotted = variable[len(ENVIRONMENT_PREFIX) :].lower().replace("__", ".", 1)
            yield dotted, _parse(value, _default_of(Settings(), dotted)), f"environment {variable}"


def _require_section(section: str, table: Any, where: str) -> None:
    if not isinstance(table, dict):
        short = section[:80]
        raise ConfigurationError(f"{where}: {short}: expected a table [{short}]")
    _fields_of(Settings(), section, f"{where}: ")


def _tell(wrong: Sequence[str]) -> None:
    """Raises ConfigurationError with all that is wrong, if something is."""
    if wrong:
        raise ConfigurationError(wrong[0], wrong[1:MOST_TOLD])


def replace_setting(settings: Settings, dotted: str, value: Any, where: str = "") -> Settings:
    """A copy of the tree with one key changed.

    Args:
        settings: the tree.
        dotted: ``section.key``.
        value: the new value; an int is taken for a float, nothing else is converted.
        where: file and line, for the message.

    Raises:
        ConfigurationError: unknown key, wrong type, out of range.
    """
    prefix = f"{where}: " if where else ""
    section_name, _, name = dotted.partition(".")
    fields = _fields_of(settings, section_name, prefix)
    if name not in fields:
        known = ", ".join(fields)
        raise ConfigurationError(
            f"{prefix}unknown key {dotted[:80]}; known in [{section_name}]: {known}"
        )
    checked = _check(dotted, value, fields[name], prefix)
    changed: Any = dataclasses.replace(getattr(settings, section_name), **{name: checked})
    return dataclasses.replace(settings, **{section_name: changed})


def _fields_of(settings: Settings, section: str, prefix: str) -> dict[str, Any]:
    """The keys of a section; ConfigurationError for an unknown one."""
    known = [f.name for f in dataclasses.fields(settings)]
    if section not in known:
        raise ConfigurationError(
            f"{prefix}unknown section [{section[:80]}]; known: {', '.join(known)}"
        )
    return {f.name: f for f in dataclasses.fields(getattr(settings, section))}


def _check(dotted: str, value: Any, field: dataclasses.Field[Any], prefix: str) -> Any:
    shown = "(secret)" if field.metadata["secret"] else without_password(_shown(value))
    kind = type(field.default)
    if kind is float and type(value) is int and abs(value) < MAX_WHOLE:
        value = float(value)
    if type(value) is not kind:
        names = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
        raise ConfigurationError(f"{prefix}{dotted} = {shown}: expected {names[kind]}")
    if isinstance(value, str) and "\0" in value:
        raise ConfigurationError(f"{prefix}{dotted} = {shown}: allowed: text without NUL")
    if isinstance(value, str) and SURROGATE.search(value):
        raise ConfigurationError(f"{prefix}{dotted} = {shown}: allowed: text in UTF-8")
    choices, low, high = (field.metadata[k] for k in ("choices", "low", "high"))
    if choices and value not in choices:
        raise ConfigurationError(f"{prefix}{dotted} = {shown}: allowed: {', '.join(choices)}")
    if low is not None and not low <= value <= high:  # also refuses NaN
        raise ConfigurationError(f"{prefix}{dotted} = {shown}: allowed: {low:g} to {high:g}")
    return value


def _check_together(settings: Settings, place_of: Callable[[str], str]) -> list[str]:
    """What no single key's type and range can show, a sentence each."""
    wrong = []
    for dotted, why in _misfits(settings):
        section, _, name = dotted.partition(".")
        value = getattr(getattr(settings, section), name)
        shown = repr(without_password(value) if dotted == "mqtt.host" else value)
        wrong.append(f"{place_of(dotted)}: {dotted} = {shown}: {why}")
    return wrong


def _misfits(settings: Settings) -> Iterator[tuple[str, str]]:
    """Keys whose values cannot be, and why."""
    camera = settings.camera
    if settings.device.deployment in ("workplace", "education"):
        yield (
            "device.deployment",
            "reading emotions at work and in education is forbidden in the EU (AI Act Art. "
            "5(1)(f)); Mien does not start there",
        )
    if camera.source == "replay" and not camera.path:
        yield "camera.source", "camera.path is empty: source replay needs a path"
    if not settings.outbox.path and settings.outbox.max_events > MOST_IN_MEMORY:
        yield (
            "outbox.max_events",
            (f"at most {MOST_IN_MEMORY} in memory; outbox.path keeps more on disk"),
        )
    if camera.rotate_deg % 90:
        yield "camera.rotate_deg", "allowed: 0, 90, 180, 270"
    in_topics = "not usable in an MQTT topic: allowed is text without +, #"
    if re.search(r"[+#/\s\x00]", settings.device.id):
        yield "device.id", f"{in_topics} nor / and spaces"
    for section in ("mqtt", "home_assistant"):
        if re.search(r"[+#\s\x00]|^$", getattr(settings, section).prefix):
            yield f"{section}.prefix", f"{in_topics} and spaces, and not empty"
    for section in ("mqtt", "web"):
        table = getattr(settings, section)
        if bool(table.cert_file) != bool(table.key_file):
            alone = "cert_file" if table.cert_file else "key_file"
            together = f"{section}.cert_file and {section}.key_file belong together"
            yield f"{section}.{alone}", together
    if settings.web.enabled and 0 < settings.web.port == settings.health.prometheus_port:
        yield "health.prometheus_port", "that is web.port, where /metrics is too; take another one"
    yield from _misfits_of_broker(settings.mqtt)
    yield from _misfits_of_page(settings.web)


def _misfits_of_broker(mqtt: Mqtt) -> Iterator[tuple[str, str]]:
    """Keys of ``[mqtt]`` whose values cannot be, and why."""
    if mqtt.host and not is_host(mqtt.host):
        yield (
            "mqtt.host",
            "allowed is a name or address alone; the port is mqtt.port, encryption mqtt.tls",
        )
    for name in ("ca_file", "cert_file"):
        if getattr(mqtt, name) and not mqtt.tls:
            yield f"mqtt.{name}", "nothing would be encrypted: set mqtt.tls = true as well"


def _misfits_of_page(web: Web) -> Iterator[tuple[str, str]]:
    """Keys of ``[web]`` whose values cannot be, and why."""
    try:
        is_local = ipaddress.ip_address(web.address).is_loopback
    except ValueError:
        yield "web.address", "allowed is an IP address of this device, 0.0.0.0 or ::"
        return
    names = [name.strip() for name in web.host_names.split(",") if name.strip()]
    if not all(is_host(name) for name in names):
        yield "web.host_names", "allowed are names alone, separated by commas"
    if web.enabled and not (web.password_hash or web.password_file):
        remedy = "needs a password: `mien web password` makes the line for web.password_hash"
        if not is_local:
            yield "web.address", f"an address that others reach {remedy}"
        if names:
            yield "web.host_names", f"a name that others use {remedy}"


def _read(path: Path) -> str:
    try:
        content = read_file(path, MAX_FILE_BYTES)
        return content.decode("utf-8-sig").replace("\r\n", "\n")  # with or without Windows' mark
    except OSError as error:
        problem = f"{path}: cannot read settings: {error.strerror}"
        passes = is_storage_trouble(error)
        raise (StorageError if passes else ConfigurationError)(problem) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not a text file (UTF-8)") from error


def _parse_file(path: Path, text: str) -> dict[str, Any]:
    problem = "nested too deeply, or a number of too many digits"
    for number, line in enumerate(text.splitlines(), start=1):
        if line.count(".") > MAX_DOTS and not line.lstrip().startswith("#"):  # takes long to parse
            raise ConfigurationError(f"{path}:{number}: not valid TOML: {problem}")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: not valid TOML: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}: not valid TOML: {problem}") from error


def _lines_of(text: str) -> dict[str, int]:
    """Where each ``section`` and ``section.key`` stands."""
    lines: dict[str, int] = {}
    current = ""
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            current = stripped[1:].partition("]")[0].strip().strip("\"'")
            lines[current] = number
            continue
        key = stripped.partition("=")[0].strip().strip("\"'")
        lines.setdefault(f"{current}.{key}" if current else key, number)
    return lines


def _shown(value: Any) -> str:
    try:
        return reprlib.repr(value)
    except ValueError:
        return "a number of too many digits"


def _default_of(settings: Settings, dotted: str) -> Any:
    section, _, name = dotted.partition(".")
    return getattr(getattr(settings, section, None), name, None)


def _parse(value: str, default: Any) -> Any:
    """An environment value: the text itself for a text key, else as TOML where it is one."""
    if isinstance(default, str):
        return value
    try:
        parsed = tomllib.loads(f"v = {value}")["v"]
    except (ValueError, RecursionError):
        return value
    return parsed if isinstance(parsed, (bool, int, float)) else value
