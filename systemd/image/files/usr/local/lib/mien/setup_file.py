"""Reads ``mien-setup.toml`` key by key, and wipes passwords from its text.

The file holds comments and statements ``key = "text"``. It is read statement by statement, so
that a broken one leaves the others in force; a TOML parser refuses the whole file. The system's
Python brings no TOML library that keeps comments (tomlkit is not on Raspberry Pi OS Lite, and
Mien's own packages must not be needed to open a way in). Each text is read by ``tomllib``.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass

import tomllib

WIPED = "(taken over)"
SECRETS = ("wifi_password", "mqtt_password")
MAX_SSID_BYTES = 32
MIN_SEARCHED = 8  # a shorter password may stand in a comment by chance, as "mien" does
MAX_SHOWN = 60

_SSH_KEY = r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-\S+|sk-\S+) [A-Za-z0-9+/=]+( [^\x00-\x1f]*)?"
_WIFI_PASSWORD = r"[\x20-\x7e]{8,63}|[0-9A-Fa-f]{64}"  # a passphrase, or the key made from it


def _is_wifi_name(value: str) -> bool:
    return len(value.encode()) <= MAX_SSID_BYTES and not re.search(r"[\x00-\x1f]", value)


ALLOWED: dict[
    str, tuple[Callable[[str], object], str]
] = {  # key: whether a text fits, and how that is said
    "hostname": (
        re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?").fullmatch,
        "a-z, 0-9 and hyphens, at most 63",
    ),
    "timezone": (
        re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*").fullmatch,
        "a name such as Europe/Berlin",
    ),
    "wifi_country": (re.compile(r"[A-Z]{2}").fullmatch, "two capital letters such as DE"),
    "wifi_name": (_is_wifi_name, "1 to 32 bytes (a letter such as ü takes two)"),
    "wifi_password": (
        re.compile(_WIFI_PASSWORD).fullmatch,
        "8 to 63 plain characters, or a key of 64 hexadecimal digits",
    ),
    "ssh_key": (re.compile(_SSH_KEY).fullmatch, "one line of a .pub file"),
    "mqtt_password": (re.compile(r"[^\x00-\x1f]+").fullmatch, "one line"),
}

_LINE_ENDS = "\r\n"
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|\Z)")
_COMMENTS = re.compile(r"(?:[ \t]*(?:#[^\r\n]*)?(?:\r\n|\n|\r))+")
_KEY = re.compile(r"""[ \t]*(["']?)([A-Za-z0-9_-]+)\1[ \t]*=[ \t]*""")
_TEXT = "|".join(
    (
        r'"""(?:[^\\"]|\\.|"{1,2}(?!"))*"{3,5}',
        r"'''(?:[^']|'{1,2}(?!'))*'{3,5}",
        r'"(?:[^"\\\r\n]|\\[^\r\n])*"',
        r"'[^'\r\n]*'",
    )
)
_VALUE = re.compile(rf"(?s:({_TEXT}))[ \t]*((?:#[^\r\n]*)?(?:\r\n|\n|\r|\Z))")


@dataclass(frozen=True)
class Statement:
    """A piece of the file: a statement, a comment, an empty line or what was not understood.

    Attributes:
        text: as it stands, with the end of its line.
        key: what it sets; empty where it sets nothing.
        value: the text that it sets; None where there is none.
        comment: the end of ``text`` that is a comment.
        problem: what is wrong with it; empty where nothing is.
    """

    text: str
    key: str = ""
    value: str | None = None
    comment: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Setup:
    """What the file asks for.

    Attributes:
        statements: the whole file.
        wanted: the texts that can be used; empty and already wiped ones are left out.
        unusable: keys that stand there with nothing that can be used.
        wiped: keys whose text was taken over by an earlier start.
        problems: what is wrong, a sentence each; no password is in them.
    """

    statements: tuple[Statement, ...]
    wanted: dict[str, str]
    unusable: frozenset[str]
    wiped: frozenset[str]
    problems: tuple[str, ...]


def decode(data: bytes) -> str:
    """The file's text; bytes that are not UTF-8 become surrogates, and spoil their statement only.

    Windows' editor may put a byte-order mark before the text, and its shell writes UTF-16.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    return data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")


def read_setup(text: str) -> Setup:
    """Reads every statement; what is wrong with one never hides another."""
    statements = tuple(_split(text))
    wanted: dict[str, str] = {}
    wiped = set()
    seen: set[str] = set()
    problems = []
    for statement in statements:
        if statement.problem:
            problems.append(statement.problem)
        key, value = statement.key, statement.value
        if key in seen:
            problems.append(f"{key}: stands there more than once; the last usable one holds")
        if key in ALLOWED:
            seen.add(key)
        if value == WIPED:
            wiped.add(key)
        elif value and not statement.problem:
            wanted[key] = value
    bad = {s.key for s in statements if s.problem and s.key in ALLOWED} - wanted.keys()
    passwords = [_searched(password) for password in _passwords(wanted)]
    said = tuple(_replaced(passwords, "(secret)", problem) for problem in problems)
    return Setup(statements, wanted, frozenset(bad), frozenset(wiped), said)


def _split(text: str) -> Iterable[Statement]:
    start = 0
    num_lines = 0
    while start < len(text):
        comments = _COMMENTS.match(text, start)
        key = _KEY.match(text, start) if not comments else None
        value = _VALUE.match(text, key.end()) if key else None
        found = value or comments or _LINE.match(text, start)
        end = found.end() if found else len(text)
        piece = text[start:end]
        if key and value:
            yield _statement(piece, key[2], value[1], value[2])
        elif key:
            yield Statement(piece, key[2], problem=_no_text(key[2], text[key.end() : end]))
        elif piece.strip() and not piece.lstrip().startswith("#"):
            problem = f'line {num_lines + 1}: not valid TOML: expected key = "text"'
            yield Statement(piece, problem=problem)
        else:
            yield Statement(piece, comment=piece)
        num_lines += len(re.findall(r"\r\n|\n|\r", piece))
        start = end


def _statement(piece: str, key: str, quoted: str, comment: str) -> Statement:
    """A statement with a text in quotation marks."""
    if key not in ALLOWED:
        problem = f"unknown key {key[:MAX_SHOWN]}; known: {', '.join(ALLOWED)}"
        return Statement(piece, key, None, comment, problem)
    try:
        quoted.encode()
        value = tomllib.loads("text = " + re.sub(r"\r\n?", "\n", quoted))["text"]
    except UnicodeEncodeError:
        return Statement(piece, key, None, comment, f"{key}: not UTF-8: save the file as UTF-8")
    except tomllib.TOMLDecodeError as error:
        said = re.sub(r" \(at .*\)$", "", str(error))
        return Statement(piece, key, None, comment, f"{key}: not valid TOML: {said}")
    fits, allowed = ALLOWED[key]
    if value in ("", WIPED) or fits(value):
        return Statement(piece, key, value, comment)
    shown = "(secret)" if key in SECRETS else repr(value[:MAX_SHOWN])
    return Statement(piece, key, value, comment, f"{key} = {shown}: allowed: {allowed}")


def _no_text(key: str, rest: str) -> str:
    """What is wrong with a statement that has no text in quotation marks."""
    if key not in ALLOWED:
        return f"unknown key {key[:MAX_SHOWN]}; known: {', '.join(ALLOWED)}"
    if rest.strip() and rest[0] not in "\"'#":
        return f'{key}: expected a text in quotation marks, as in {key} = "..."'
    return f'{key}: not valid TOML: expected a text in quotation marks, as in {key} = "..."'


def wipe(setup: Setup, in_place: Iterable[str]) -> str:
    """The file's text without the passwords that are in place.

    Args:
        setup: the file.
        in_place: the keys among ``SECRETS`` whose password the system has.
    """
    keys = frozenset(in_place)
    passwords = _passwords({key: setup.wanted[key] for key in keys & setup.wanted.keys()})
    commented_out = _commented_out(keys)
    searched = [_searched(password) for password in passwords]

    def scrubbed(text: str) -> str:
        return _replaced(searched, WIPED, commented_out.sub(rf'\1"{WIPED}"', text))

    return "".join(_wiped(statement, keys, scrubbed) for statement in setup.statements)


def _wiped(statement: Statement, keys: Set[str], scrubbed: Callable[[str], str]) -> str:
    text = statement.text
    if statement.key in keys and statement.value != "":
        before, _, _ = text.partition("=")
        return f'{before}= "{WIPED}"{text[len(text.rstrip(_LINE_ENDS)) :]}'
    where = 0 if statement.problem else len(text) - len(statement.comment)
    return text[:where] + scrubbed(text[where:])


def _passwords(wanted: Mapping[str, str]) -> list[str]:
    return [wanted[key] for key in SECRETS if key in wanted]


def _replaced(searched: Iterable[re.Pattern[str]], instead: str, text: str) -> str:
    for pattern in searched:
        text = pattern.sub(instead, text)
    return text


def _commented_out(keys: Iterable[str]) -> re.Pattern[str]:
    """Finds one of these keys and what follows it on its line, unless that is empty."""
    names = "|".join(sorted(keys)) or "(?!)"
    empty = r"(?:\"\"|'')[ \t]*(?:[\r\n]|\Z)"
    return re.compile(rf"((?:{names})[\"']?[ \t]*=[ \t]*)(?!{empty})[^ \t\r\n][^\r\n]*")


def _searched(password: str) -> re.Pattern[str]:
    """Finds a password in a comment; one that looks like a word only where it stands alone."""
    if len(password) < MIN_SEARCHED:
        return re.compile(r"(?!)")
    alone = re.fullmatch(r"[\w-]+", password)
    pattern = re.escape(password)
    return re.compile(rf"(?<![\w-]){pattern}(?![\w-])" if alone else pattern)
