"""Words that Mien no longer uses, with what it says instead (docs/glossary.md)."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path

FOLDERS = ("device", "training", "export", "systemd", "tests")
PAGES = ("README.md", "CONTRIBUTING.md", "Makefile")
# As regular expressions; an identifier is read as its words (`carry_back`, `TwinWatch`).
INSTEAD = {
    r"cadences?": "detection interval",
    r"contestants?": "candidate",
    r"rivals?": "baseline",
    r"mailbox(?:es)?": "client, outbox",
    r"carr(?:y|ies|ied) back": "paste back",
    r"(?:from )?afar": "remotely, over MQTT",
    r"twins?": "duplicate device id; FER2013 head",
    r"settled expressions?|(?:has|have) been settled": "stable",
    r"command desk": "commands",
}
# Not in prose; as names in files, on the wire and of options they stay.
IN_PROSE = {
    r"pure\.": "say what it does",
    r"crowds?(?! head)": "FER+, the ten people who named the faces",
    r"doubts?": "rejection reason",
    r"view[ -]teachers?": "distillation teacher",
}
# Files that name such words because they are about them.
ABOUT = ("tests/words.py", "tests/architecture/planted.py", "docs/faces/smoothing.json")
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def leftovers(root: Path) -> list[str]:
    """``file:line: word (say ...)`` for each such word in identifiers, docstrings and pages."""
    found = []
    for path in [*_sources(root), *_pages(root)]:
        name = path.relative_to(root).as_posix()
        if name not in ABOUT:
            text = path.read_text(encoding="utf-8")
            found += [f"{name}: {told}" for told in _unwanted(_spell(path.stem), INSTEAD)]
            if path.suffix == ".py":
                found += [f"{name}:{line}: {told}" for line, told in _in_code(text)]
            else:
                found += [f"{name}:{line}: {told}" for line, told in _in_prose(text)]
    return found


def _unwanted(text: str, words: Mapping[str, str]) -> Iterator[str]:
    if re.search("|".join(words), text, re.IGNORECASE):  # most have none
        for word, instead in words.items():
            if match := re.search(rf"(?<![\w`\"'-])(?:{word})(?![\w`\"'-])", text, re.IGNORECASE):
                yield f"{match[0]} (say {instead})"


def _sources(root: Path) -> list[Path]:
    return [path for folder in FOLDERS for path in sorted((root / folder).rglob("*.py"))]


def _pages(root: Path) -> list[Path]:
    pages = [root / name for name in PAGES]
    return [p for p in pages if p.exists()] + sorted((root / "docs").rglob("*.md"))


def _in_prose(text: str) -> Iterator[tuple[int, str]]:
    """What stands between backticks and in fenced blocks is a name."""
    plain = re.sub(r"```.*?```", lambda m: "\n" * m[0].count("\n"), text, flags=re.DOTALL)
    for number, line in enumerate(plain.splitlines(), 1):
        for told in _unwanted(re.sub(r"`[^`]*`", "", line), {**INSTEAD, **IN_PROSE}):
            yield number, told


def _in_code(text: str) -> Iterator[tuple[int, str]]:
    """Identifiers, comments and docstrings; other strings may be names on the wire."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                for line, told in _in_prose(str(first.value.value)):
                    yield first.lineno + line - 1, told
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME:
            for told in _unwanted(_spell(token.string), INSTEAD):
                yield token.start[0], told
        elif token.type == tokenize.COMMENT:
            for _, told in _in_prose(token.string):
                yield token.start[0], told


def _spell(identifier: str) -> str:
    return CAMEL.sub(" ", identifier).replace("_", " ").replace("-", " ")
