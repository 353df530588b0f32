"""What the device says when something is wrong, read from its source.

A message is the text of an error that is raised, of a warning or error in the log, or of a
``problem``; what is filled in while running stands there as ``{name}``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOGGED = ("warning", "error", "critical", "_warn")
TOLD = re.compile(r"(^|_)(problem|why|reason|error|text)s?$")  # names that hold such a text
TELLING = re.compile(r"explain|misfits|problem")  # functions that return or yield such a text
NOT_FOR_USERS = ("ValueError", "TypeError", "AssertionError", "NotImplementedError")
WORDS_AT_LEAST = 2
ALL_IS_WELL = re.compile(r"self-test passed$")


@dataclass(frozen=True)
class Message:
    """A message and where it is said.

    Attributes:
        text: with ``{name}`` for what is filled in.
        place: file and line.
    """

    text: str
    place: str


def messages(root: Path = ROOT) -> list[Message]:
    """All messages of the device, by file and line; each text once."""
    found: dict[str, Message] = {}
    for path in sorted((root / "device").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in _spoken(tree):
            text = template(node)
            words = re.findall(r"(?<![\w.])[a-zA-Z]{2,}(?![\w.])", re.sub(r"\{[^}]*\}", "", text))
            if len(words) >= WORDS_AT_LEAST and not ALL_IS_WELL.search(text):
                place = f"{path.relative_to(root)}:{node.lineno}"
                found.setdefault(text, Message(text, place))
    return list(found.values())


def _spoken(tree: ast.AST) -> Iterator[ast.expr]:
    """The expressions that become a message."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            name = ast.unparse(node.exc.func)
            if name.endswith("Error") and name not in NOT_FOR_USERS:
                yield from (arg for arg in node.exc.args if _is_text(arg))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in LOGGED and node.args and _is_text(node.args[0]):
                yield node.args[0]
        elif isinstance(node, ast.Assign):
            if any(TOLD.search(_name(target)) for target in node.targets):
                yield from _choices(node.value)
        elif isinstance(node, ast.FunctionDef) and TELLING.search(node.name):
            yield from _answers(node)


def _choices(node: ast.expr) -> Iterator[ast.expr]:
    """The texts that a value may be: itself, both sides of a condition, what a lookup falls back to."""
    if _is_text(node):
        yield node
    elif isinstance(node, ast.IfExp):
        yield from _choices(node.body)
        yield from _choices(node.orelse)
    elif isinstance(node, ast.Call) and len(node.args) == 2 and _name(node.func) == "get":
        yield from _choices(node.args[1])


def _answers(function: ast.FunctionDef) -> Iterator[ast.expr]:
    for node in ast.walk(function):
        if isinstance(node, ast.Return | ast.Yield) and node.value is not None:
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            yield from (value for value in values if _is_text(value))


def _name(target: ast.expr) -> str:
    return target.attr if isinstance(target, ast.Attribute) else ast.unparse(target)


def _is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return _is_text(node.left) or _is_text(node.right)
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def template(node: ast.expr) -> str:
    """The text with ``{name}`` for what is filled in.

    >>> template(ast.parse("f'{path}: {error.strerror}'", mode='eval').body)
    '{path}: {strerror}'
    """
    if isinstance(node, ast.Constant):
        return re.sub(r"%[-+0-9.]*[sdgfr]", "{value}", str(node.value))
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return f"{{{_short(node.value)}}}"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return template(node.left) + template(node.right)
    return f"{{{_short(node)}}}"


def _short(node: ast.expr) -> str:
    """The last name in an expression."""
    names = re.findall(r"[A-Za-z_]+", re.sub(r"'[^']*'", "", ast.unparse(node)))
    plain = [
        name for name in names if name not in ("shown", "join", "str", "len", "sorted", "self")
    ]
    return plain[-1].lstrip("_").lower() if plain else "value"
