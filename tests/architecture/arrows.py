"""Who may import whom. Each rule returns a line for each violation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tests.architecture.source import (
    Module,
    classes,
    folder_of,
    is_below,
    is_data,
    is_protocol,
    members,
    modules,
)

# The contract: what the workstation side may take from the device, module by module.
CONTRACT = {
    "device.errors",
    "device.vocabulary",
    "device.settings",
    "device.camera.demo",
    "device.vision.preprocess",
    "device.vision.model_card",
    "device.vision.tflite",
    "device.vision.stage",
    "device.vision.synthesizer",
}
NOT_ON_THE_DEVICE = ("training", "export", "tests", "keras", "matplotlib", "sklearn", "scipy")
LOOP_KNOWS = {"device.vocabulary", "device.errors"}
BUILDER = "device.daemon.build"

# Folders that stand at the edges. None imports another; the module that has no part in any
# edge (pixels in, pixels out) is open to all.
EDGES = ("device.camera", "device.display", "device.mqtt", "device.vision", "device.web")
OPEN_TO_ALL_EDGES = {"device.vision.preprocess"}
# Where the adapters of one folder stand side by side, and which protocol makes an adapter.
SIDE_BY_SIDE = {
    "device.camera": ("Source", "Camera"),
    "device.vision": ("FaceDetector",),
    "device.display": ("Painter", "Display"),
}
# Adapters made of others of their folder, with the reason.
COMPOSED = {
    "device.vision.both": "adds to Haar's faces those that only HOG finds",
    "device.vision.stage": "makes the detector that the settings name",
    "device.display.choose": "tries one screen after another",
}


def training_takes_only_the_contract(root: Path) -> list[str]:
    """``training`` imports the modules of the contract from ``device`` and no other."""
    return _only_the_contract(root, "training")


def export_takes_only_the_contract(root: Path) -> list[str]:
    """``export`` imports the modules of the contract from ``device`` and no other."""
    return _only_the_contract(root, "export")


def training_does_not_know_export(root: Path) -> list[str]:
    """A run directory joins the two, not an import."""
    return _arrows(modules(root, "training"), lambda name: is_below(name, "export"))


def device_stands_alone(root: Path) -> list[str]:
    """``device`` imports nothing of the workstation side."""
    forbidden = NOT_ON_THE_DEVICE
    return _arrows(modules(root, "device"), lambda n: any(is_below(n, f) for f in forbidden))


def edges_do_not_know_each_other(root: Path) -> list[str]:
    """Camera, display, MQTT, vision and web meet in the loop only."""
    found = []
    for module in modules(root, "device"):
        own = folder_of(module.name)
        if own in EDGES:
            others = set(EDGES) - {own}
            known = sorted(module.imports() - OPEN_TO_ALL_EDGES)
            found += [
                f"{module.name} imports {name}" for name in known if folder_of(name) in others
            ]
    return found


def adapters_do_not_know_each_other(root: Path) -> list[str]:
    """A camera imports no camera, a detector no detector, a display no display."""
    found = []
    everywhere = modules(root, "device")
    protocol_names = {c.name for m in everywhere for c in classes(m) if is_protocol(c)}
    for folder, protocols in SIDE_BY_SIDE.items():
        adapters = adapters_of(root, folder, protocols)
        if not adapters:
            found.append(f"{folder}: no class has all members of {' or '.join(protocols)}")
        for module in modules(root, *[folder.replace(".", "/")]):
            if module.name in adapters and module.name not in COMPOSED:
                others = adapters - {module.name}
                known = {
                    origin
                    for origin, name in module.imported_names()
                    if origin in others and name not in protocol_names
                }
                found += [f"{module.name} imports {name}" for name in sorted(known)]
    return found


def adapters_of(root: Path, folder: str, protocols: Iterable[str]) -> set[str]:
    """The modules of a folder with a class that has all members of one of these protocols."""
    everywhere = modules(root, "device")
    wanted = [
        members(node)
        for module in everywhere
        for node in classes(module)
        if node.name in protocols and is_protocol(node)
    ]
    return {
        module.name
        for module in everywhere
        if is_below(module.name, folder)
        for node in classes(module)
        if not is_protocol(node) and any(need and need <= members(node) for need in wanted)
    }


def loop_knows_protocols_and_vocabulary(root: Path) -> list[str]:
    """``device/pipeline.py`` imports no part that it drives."""
    loop = [m for m in modules(root, "device") if m.name == "device.pipeline"]
    if not loop:
        return ["there is no device/pipeline.py"]
    return _arrows(loop, lambda name: is_below(name, "device") and name not in LOOP_KNOWS)


def one_module_makes_the_parts(root: Path) -> list[str]:
    """No module but the builder knows concrete classes of two of camera, MQTT and display."""
    everywhere = {module.name: module for module in modules(root, "device")}
    if BUILDER not in everywhere:
        return [f"there is no {BUILDER}"]
    found = []
    for module in everywhere.values():
        concrete = sorted(_concrete(module, everywhere))
        folders = {folder_of(name) for name in concrete}
        if len(folders) > 1 and module.name != BUILDER:
            found.append(f"{module.name} knows {', '.join(concrete)}")
    return found


def no_circle_of_folders(root: Path) -> list[str]:
    """The folders and modules directly below ``device/`` import each other in one direction."""
    graph: dict[str, set[str]] = {}
    for module in modules(root, "device"):
        here = folder_of(module.name)
        there = {folder_of(name) for name in module.imports() if is_below(name, "device")}
        graph[here] = graph.get(here, set()) | (there - {here, "device"})
    reach = {node: _reached(graph, node) for node in graph}
    circles = {frozenset(n for n in reach[node] if node in reach[n]) for node in reach}
    lines = []
    for circle in sorted(sorted(c) for c in circles if c):
        arrows = [f"{a} -> {b}" for a in circle for b in sorted(graph[a] & set(circle))]
        lines.append(f"a circle: {', '.join(arrows)}")
    return lines


def every_module_is_reached(root: Path) -> list[str]:
    """What no command reaches is left over; ``training`` and ``export`` count for the contract."""
    everywhere = modules(root, "device")
    graph = {module.name: module.imports() for module in everywhere}
    starts = {"device.__main__"} | {n for n in graph if is_below(n, "device.cli")} | CONTRACT
    reached = set(starts).union(*(_reached(graph, start) for start in starts))
    return [
        f"no command reaches {module.name}"
        for module in everywhere
        if module.name not in reached and not module.is_package
    ]


def _only_the_contract(root: Path, folder: str) -> list[str]:
    return _arrows(
        modules(root, folder), lambda name: is_below(name, "device") and name not in CONTRACT
    )


def _arrows(of: list[Module], is_forbidden: Callable[[str], bool]) -> list[str]:
    return [
        f"{module.name} imports {name}"
        for module in of
        for name in sorted(module.imports())
        if is_forbidden(name)
    ]


def _concrete(module: Module, everywhere: dict[str, Module]) -> Iterator[str]:
    for origin, name in module.imported_names():
        if folder_of(origin) in ("device.camera", "device.mqtt", "device.display"):
            acting = {
                node.name
                for node in (classes(everywhere[origin]) if origin in everywhere else [])
                if not is_protocol(node) and not is_data(node)
            }
            if (name in acting) or (not name and acting):
                yield f"{origin}.{name}" if name else origin


def _reached(graph: dict[str, set[str]], start: str) -> set[str]:
    """All that ``start`` leads to, itself only by a circle."""
    found: set[str] = set()
    waiting = list(graph.get(start, ()))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph.get(name, ())
    return found
