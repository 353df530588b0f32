"""The arrows of CONTRIBUTING.md, read from the code by ``ast``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FROM_DEVICE = {"device.vocabulary", "device.vision.preprocess", "device.vision.model_card"}
ADAPTERS = ("device.camera", "device.display", "device.mqtt", "device.vision")


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return dotted.removesuffix(".__init__")


def imports(path: Path, top_level_only: bool = False) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def names_a(imported: str, package: str) -> bool:
    return imported == package or imported.startswith(package + ".")


@pytest.mark.parametrize("path", modules("device"), ids=name_of)
def test_device_imports_neither_tensorflow_nor_the_workstation_side(path: Path) -> None:
    for imported in imports(path):
        for forbidden in ("keras", "training", "export", "tests", "matplotlib", "sklearn"):
            assert not names_a(imported, forbidden), f"{name_of(path)} imports {imported}"
        if names_a(imported, "tensorflow"):
            pytest.fail(f"{name_of(path)} imports {imported}")


@pytest.mark.parametrize("path", modules("training") + modules("export"), ids=name_of)
def test_workstation_side_takes_only_the_contract_from_device(path: Path) -> None:
    allowed = FROM_DEVICE | {"device.errors", "device.settings", "device.vision"}
    for imported in imports(path):
        if names_a(imported, "device") and imported != "device":
            assert any(names_a(imported, a) for a in allowed), f"{name_of(path)} imports {imported}"


@pytest.mark.parametrize("path", modules("device"), ids=name_of)
def test_stages_do_not_know_each_other(path: Path) -> None:
    own = next((a for a in ADAPTERS if names_a(name_of(path), a)), None)
    if own is None:
        return
    for imported in imports(path):
        for other in ADAPTERS:
            if other != own and names_a(imported, other):
                assert imported.startswith("device.vision.preprocess"), (
                    f"{name_of(path)} imports {imported}"
                )


def test_only_the_command_line_reads_argv_and_environment() -> None:
    for path in modules("device"):
        if name_of(path) == "device.__main__":
            continue
        text = path.read_text(encoding="utf-8")
        assert "sys.argv" not in text, path
        assert "os.environ" not in text, path
        assert "getenv" not in text, path


def test_only_settings_knows_toml() -> None:
    for path in modules("device"):
        if names_a(name_of(path), "device.settings"):
            continue
        assert not any(names_a(i, t) for i in imports(path) for t in ("tomllib", "tomli")), path


def test_the_loop_knows_protocols_only() -> None:
    concrete = ("device.camera", "device.mqtt", "device.display", "device.composition")
    for imported in imports(ROOT / "device" / "pipeline.py"):
        assert not any(names_a(imported, c) for c in concrete), imported


def test_hardware_libraries_are_imported_inside_their_adapter() -> None:
    for path in modules("device"):
        for imported in imports(path, top_level_only=True):
            for hardware in ("picamera2", "libcamera"):
                assert not names_a(imported, hardware), f"{name_of(path)} imports {imported}"


def test_no_catch_all_modules() -> None:
    forbidden = {"utils", "common", "helpers", "base", "manager", "misc"}
    for folder in ("device", "training", "export"):
        for path in modules(folder):
            assert path.stem not in forbidden, path


def test_modules_stay_readable() -> None:
    for folder in ("device", "training", "export"):
        for path in modules(folder):
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path
