"""Reads a source tree for the rules: its modules, what they import, which classes they hold."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path


@cache
def parse(text: str) -> ast.Module:
    """The tree, which all rules share."""
    return ast.parse(text)


@dataclass(frozen=True)
class Module:
    """One Python file.

    Attributes:
        path: of the file.
        root: of the source tree.
    """

    path: Path
    root: Path

    @property
    def name(self) -> str:
        """``device.vision.haar``; a package is named without ``.__init__``."""
        dotted = ".".join(self.path.relative_to(self.root).with_suffix("").parts)
        return dotted.removesuffix(".__init__")

    @property
    def is_package(self) -> bool:
        """True for an ``__init__.py``."""
        return self.path.stem == "__init__"

    @cached_property
    def text(self) -> str:
        """The file."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """The file, parsed."""
        return parse(self.text)

    @cached_property
    def docstrings(self) -> set[ast.AST]:
        """The nodes that are docstrings of the module, a class or a function."""
        found: set[ast.AST] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                first = node.body[0] if node.body else None
                if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                    found.add(first.value)
        return found

    @cached_property
    def comments(self) -> dict[int, str]:
        """Comments by line number."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return {t.start[0]: t.string for t in tokens if t.type == tokenize.COMMENT}

    def strings(self) -> Iterator[tuple[int, str, bool]]:
        """(line, text, is a docstring) of every string constant."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.lineno, node.value, node in self.docstrings

    def imported_names(self, top_level_only: bool = False) -> Iterator[tuple[str, str]]:
        """(module, name) pairs of all imports; ``name`` is empty where the module itself is meant.

        ``from package import module`` gives the module, relative imports are resolved, and so is
        ``importlib.import_module`` of a constant.

        Args:
            top_level_only: without those inside functions.
        """
        nodes = _outside_functions(self.tree) if top_level_only else ast.walk(self.tree)
        for node in nodes:
            if isinstance(node, ast.Import):
                yield from ((alias.name, "") for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                origin = self._origin(node)
                for alias in node.names:
                    inner = f"{origin}.{alias.name}"
                    yield (inner, "") if is_module(self.root, inner) else (origin, alias.name)
            elif isinstance(node, ast.Call) and _is_dynamic_import(node):
                yield str(node.args[0].value), ""  # type: ignore[attr-defined]

    def imports(self, top_level_only: bool = False) -> set[str]:
        """Full names of the modules that this one imports."""
        return {module for module, _ in self.imported_names(top_level_only)}

    def _origin(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        kept = parts[: len(parts) - node.level + self.is_package]
        return ".".join([*kept, *([node.module] if node.module else [])])


def modules(root: Path, *folders: str) -> list[Module]:
    """All modules below these folders of the tree, in order."""
    paths = [path for folder in folders for path in sorted((root / folder).rglob("*.py"))]
    return [Module(path, root) for path in paths]


def is_module(root: Path, name: str) -> bool:
    """True when the tree has a module or package of that name."""
    path = root.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def is_below(name: str, package: str) -> bool:
    """True for the package itself and what is in it."""
    return name == package or name.startswith(package + ".")


def folder_of(name: str) -> str:
    """``device.vision.haar`` stands in ``device.vision``; ``device.errors`` is its own folder."""
    return ".".join(name.split(".")[:2])


def classes(module: Module) -> list[ast.ClassDef]:
    """Its classes, those inside functions too."""
    return [node for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]


def is_protocol(node: ast.ClassDef) -> bool:
    """True for a class with Protocol as a base."""
    return any(ast.unparse(base).split("[")[0].endswith("Protocol") for base in node.bases)


def is_data(node: ast.ClassDef) -> bool:
    """True for dataclasses, named tuples, enumerations and errors: what flows, not what acts."""
    marks = [ast.unparse(decorator) for decorator in node.decorator_list]
    bases = [ast.unparse(base) for base in node.bases]
    plain = ("NamedTuple", "TypedDict", "Enum", "Error", "Exception")
    return any("dataclass" in mark for mark in marks) or any(b.endswith(plain) for b in bases)


def members(node: ast.ClassDef) -> set[str]:
    """Names of its public methods, properties and attributes with a type."""
    functions = {
        n.name for n in node.body if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    fields = {
        n.target.id
        for n in node.body
        if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
    }
    return {name for name in functions | fields if not name.startswith("_")}


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield child
            yield from _outside_functions(child)


def _is_dynamic_import(node: ast.Call) -> bool:
    called = ast.unparse(node.func)
    return (
        called in ("importlib.import_module", "import_module", "__import__")
        and bool(node.args)
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    )
