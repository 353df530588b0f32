"""What only one place may know: argv, TOML, JSON, the clock on the wall, hardware, TensorFlow."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.architecture.source import Module, is_below, modules

# Modules outside mqtt/ that make JSON, with the reason.
JSON_WRITERS = {
    "device.cli.analyze": "prints results for other programs",
    "device.cli.bench": "prints results for other programs",
    "device.daemon.state_file": "writes what is remembered over a restart",
    "device.web.messages": "tells the page",
    "device.vision.model_card": "writes the card beside a model",
}
# Modules outside mqtt/ that ask what time it is for people, with the reason.
WALL_CLOCKS = {
    "device.daemon.capture_clock": "lets collected faces grow old",
    "device.daemon.collected_faces": "names files by the day, deletes them by age",
    "device.display.framebuffer": "shows people the time of day",
    "device.display.terminal": "shows people the time of day",
}
ASYNCIO = {"device.mqtt.embedded_broker": "amqtt runs on it, in a process of its own"}
HARDWARE = ("picamera2", "libcamera", "gi", "RPi", "gpiozero", "smbus", "smbus2", "spidev")
PLATFORM_FOLDERS = ("device.camera", "device.display")
MOST_BROAD_EXCEPTS = 5
# The one way in which a docstring or a comment may speak of it.
WITHOUT_TENSORFLOW = re.compile(r"\b(no|never|without|not) TensorFlow\b")


def only_main_reads_argv_and_environment(root: Path) -> list[str]:
    """Everything else is given them as arguments."""
    forbidden = {"sys": {"argv"}, "os": {"environ", "environb", "getenv", "getenvb"}}
    return [
        f"{module.name}:{line} reads {what}"
        for module in modules(root, "device")
        if module.name != "device.__main__"
        for line, what in _uses(module, forbidden)
    ]


def only_settings_knows_toml(root: Path) -> list[str]:
    """No module outside ``device/settings`` imports a TOML library."""
    libraries = {"tomllib", "tomli", "tomli_w", "toml", "tomlkit"}
    return [
        f"{module.name} imports {name}"
        for module in modules(root, "device")
        if not is_below(module.name, "device.settings")
        for name in sorted(module.imports() & libraries)
    ]


def only_mqtt_makes_json(root: Path) -> list[str]:
    """No module outside ``device/mqtt`` and the named ones dumps JSON."""
    return [
        f"{module.name}:{line} calls {what}"
        for module in modules(root, "device")
        if not is_below(module.name, "device.mqtt") and module.name not in JSON_WRITERS
        for line, what in _uses(module, {"json": {"dump", "dumps"}})
    ]


def only_mqtt_knows_the_wall_clock(root: Path) -> list[str]:
    """Durations are monotonic; what is told with a date gets it in ``device/mqtt``."""
    forbidden = {
        "time": {"time", "time_ns", "localtime", "gmtime", "strftime", "ctime"},
        "datetime": {"datetime", "date"},
    }
    return [
        f"{module.name}:{line} uses {what}"
        for module in modules(root, "device")
        if not is_below(module.name, "device.mqtt") and module.name not in WALL_CLOCKS
        for line, what in _uses(module, forbidden)
    ]


def no_asyncio(root: Path) -> list[str]:
    """The work is bound by the processor and serial."""
    return [
        f"{module.name} imports asyncio"
        for module in modules(root, "device")
        if module.name not in ASYNCIO and any(is_below(n, "asyncio") for n in module.imports())
    ]


def hardware_is_imported_by_its_adapter(root: Path) -> list[str]:
    """Inside a function of an adapter: the module can be imported where the library is not."""
    found = []
    for module in modules(root, "device"):
        at_home = any(is_below(module.name, folder) for folder in PLATFORM_FOLDERS)
        names = module.imports(top_level_only=at_home)
        found += [
            f"{module.name} imports {name}" + (" outside a function" if at_home else "")
            for name in sorted(names)
            if any(is_below(name, hardware) for hardware in HARDWARE)
        ]
    return found


def device_does_not_name_tensorflow(root: Path) -> list[str]:
    """Neither an import, nor a string, nor a comment; a docstring may say "no TensorFlow"."""
    found = []
    for module in modules(root, "device"):
        found += [
            f"{module.name} imports {name}"
            for name in sorted(module.imports())
            if is_below(name, "tensorflow")
        ]
        texts = [(line, text, doc) for line, text, doc in module.strings()]
        texts += [(line, text, True) for line, text in module.comments.items()]
        for line, text, is_prose in texts:
            left = WITHOUT_TENSORFLOW.sub("", text) if is_prose else text
            if "tensorflow" in left.lower():
                found.append(f"{module.name}:{line} names TensorFlow")
    return found


def few_broad_excepts(root: Path) -> list[str]:
    """At most five in ``device/``, each with the reason on its line."""
    found, places = [], []
    for module in modules(root, "device"):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ExceptHandler) and _is_broad(node):
                places.append(f"{module.name}:{node.lineno}")
                if node.lineno not in module.comments:
                    found.append(f"{places[-1]}: a broad except without a reason on its line")
    if len(places) > MOST_BROAD_EXCEPTS:
        found.append(f"{len(places)} broad excepts: {', '.join(places)}")
    return found


def _is_broad(node: ast.ExceptHandler) -> bool:
    kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(k is None or ast.unparse(k) in ("Exception", "BaseException") for k in kinds)


def _uses(module: Module, forbidden: dict[str, set[str]]) -> list[tuple[int, str]]:
    """(line, ``library.name``) of every use, whatever name the import gave it."""
    libraries: dict[str, str] = {}
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            libraries |= {a.asname or a.name: a.name for a in node.names if a.name in forbidden}
        elif isinstance(node, ast.ImportFrom) and node.module in forbidden:
            names = sorted(a.name for a in node.names if a.name in forbidden[node.module])
            found += [(node.lineno, f"{node.module}.{name}") for name in names]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            library = libraries.get(node.value.id, "")
            if node.attr in forbidden.get(library, set()):
                found.append((node.lineno, f"{library}.{node.attr}"))
    return sorted(found)
