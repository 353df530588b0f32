"""Names, sizes, the tests' place beside the source, and the way of an event."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

from tests.architecture.source import Module, modules

SOURCE = ("device", "training", "export")
CATCH_ALL = {"utils", "util", "common", "helpers", "helper", "base", "manager", "misc", "tools"}
MOST_LINES = 300
LONGER_BECAUSE = re.compile(r"Longer than 300 lines: \S+ \S+")
MOST_LINES_OF_A_FUNCTION = 40
# Functions that may be longer, with the reason.
LONG_FUNCTIONS = {
    "train_step": "the steps of a GAN's update, numbered, read best in one place",
}
# Lines of test code a line of source code.
TESTS_A_LINE = {"device": 0.9, "export": 0.8}
# Folders of tests/ that mirror nothing, with what they are.
OTHER_TESTS = {
    "architecture": "this",
    "board": "cost on arm64, counted",
    "clients": "Home Assistant and Node-RED",
    "fleet": "many devices at one broker",
    "pages": "documents made from the code",
    "golden": "files with known answers",
    "image": "the flashable image, booted",
    "reliability": "attacks and what they cost, the page about them",
}
MIRRORED = (*SOURCE, "systemd")
NO_CODE = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
    tokenize.ENDMARKER,
}  # fmt: skip
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
MOST_STOPS = 14
EVENT_SECTION = "An event's way"


def no_catch_all_names(root: Path) -> list[str]:
    """A module or folder says what it does."""
    return [
        f"{module.name}: a name that says nothing"
        for module in modules(root, *SOURCE)
        if CATCH_ALL & set(module.name.split("."))
    ]


def modules_stay_readable(root: Path) -> list[str]:
    """At most 300 lines; a longer one says why in its docstring."""
    found = []
    for module in modules(root, *SOURCE, "tests", "systemd"):
        lines = len(module.text.splitlines())
        reason = LONGER_BECAUSE.search(" ".join((ast.get_docstring(module.tree) or "").split()))
        if lines > MOST_LINES and not reason:
            found.append(f"{module.name}: {lines} lines")
    return found


def functions_stay_short(root: Path) -> list[str]:
    """At most 40 lines in ``device`` and ``export``, docstring included; the named ones aside."""
    found = []
    for module in modules(root, "device", "export"):
        for node in ast.walk(module.tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MOST_LINES_OF_A_FUNCTION and node.name not in LONG_FUNCTIONS:
                    found.append(f"{module.name}.{node.name}: {lines} lines")
    return found


def tests_mirror_the_source(root: Path) -> list[str]:
    """A folder of tests stands where the source has that folder, or is named here."""
    found = []
    folders = sorted({module.path.parent for module in modules(root, "tests")})
    for folder in folders:
        place = folder.relative_to(root / "tests")
        if place.parts and place.parts[0] not in OTHER_TESTS:
            is_mirrored = place.parts[0] in MIRRORED and (root / place).is_dir()
            if not is_mirrored:
                found.append(f"tests/{place} mirrors no folder of the source")
    return found


def there_are_enough_tests(root: Path) -> list[str]:
    """Lines of test code for a line of source code, at least."""
    found = []
    for folder, least in TESTS_A_LINE.items():
        source = sum(code_lines(module) for module in modules(root, folder))
        tests = sum(code_lines(module) for module in modules(root, f"tests/{folder}"))
        if tests < least * source:
            found.append(f"tests/{folder}: {tests} lines for {source} of source, under {least}")
    return found


def code_lines(module: Module) -> int:
    """Without blank lines, comments and docstrings: those need no test, and tests have few."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        if token.type not in NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(module.tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            docstring = node.body[0]
            lines.difference_update(
                range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1)
            )
    return len(lines)


def vocabulary_is_frozen(root: Path) -> list[str]:
    """Its dataclasses are plain frozen data."""
    found = []
    for module in modules(root, "device"):
        if module.name == "device.vocabulary":
            for node in ast.walk(module.tree):
                marks = [ast.unparse(d) for d in getattr(node, "decorator_list", [])]
                loose = [m for m in marks if "dataclass" in m and "frozen=True" not in m]
                found += [f"{module.name}.{node.name} is not frozen" for _ in loose]  # type: ignore[attr-defined]
    return found


def event_goes_a_short_way(root: Path) -> list[str]:
    """CONTRIBUTING's drawing names modules that exist, and at most 14 of them."""
    text = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = re.search(rf"^#+ {EVENT_SECTION}\n(.*?)(?=^#|\Z)", text, re.DOTALL | re.MULTILINE)
    if not section:
        return [f'CONTRIBUTING.md has no section "{EVENT_SECTION}"']
    stops = list(dict.fromkeys(re.findall(r"\bdevice/[\w/*]+\.py", section[1])))
    found = [f"CONTRIBUTING.md names {stop}" for stop in stops if not any(root.glob(stop))]
    if not stops:
        found.append(f'"{EVENT_SECTION}" names no module')
    if len(stops) > MOST_STOPS:
        found.append(f'"{EVENT_SECTION}" names {len(stops)} modules')
    return found
