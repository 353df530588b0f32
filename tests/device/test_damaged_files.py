"""Damaged files and messages: one sentence each, whatever is in them; no hang, no flood of memory.

Each reader gets 10,000 mutations of something that it would take.
"""

from __future__ import annotations

import io
import json
import random
import resource
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from device.daemon.state_file import StateFile
from device.errors import MienError
from device.mqtt.command_queue import CommandReader
from device.mqtt.outbox import open_event_file
from device.settings import Settings, load_settings
from device.vision import MODELS
from device.vision.model_bundle import read_bundle
from device.vision.model_card import read_card

MUTATIONS = 10_000
MAX_S, MAX_MEMORY_MB = 2.0, 200  # of the processor: the machine may be busy with others
SHIPPED_SETTINGS = Path(__file__).parents[2] / "systemd" / "mien.toml"
ODD = (
    b"[" * 5000, b"{" * 3000, b"a." * 3000, b"9" * 5001, b"1e999", b"NaN", b"-", b'"', b"\\u0000",
    b"\0", b"\xff\xfe", b"\n", b"true", b"null", b"-1", b"9223372036854775807",
)  # fmt: skip


def mutated(rng: random.Random, content: bytes) -> bytes:
    """One to four changes: a bit, a byte, a cut, a repetition, something odd."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(5)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 2:
            del data[at : at + rng.randint(1, 200)]
        elif kind == 3:
            data[at:at] = data[at : at + rng.randint(1, 200)] * rng.randint(1, 20)
        else:
            data[at : at + rng.randint(0, 20)] = rng.choice(ODD)
    return bytes(data)


def settings_bytes() -> bytes:
    """The shipped settings with no key commented out."""
    lines = SHIPPED_SETTINGS.read_text().splitlines()
    return "\n".join(line.removeprefix("# ").removeprefix("#") if "=" in line else line
                     for line in lines).encode()  # fmt: skip


def state_bytes(folder: Path) -> bytes:
    path = folder / "made.json"
    StateFile(path).remember({"smoothing.threshold": 0.6, "detector.kind": "hog"}, paused=True)
    return path.read_bytes()


def bundle_bytes() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.tflite", (MODELS / "landmarks.tflite").read_bytes()[:3000])
        archive.writestr("a.json", (MODELS / "landmarks.json").read_bytes())
    return packed.getvalue()


def outbox_bytes(folder: Path) -> bytes:
    db = open_event_file(folder / "made.db")
    with db:
        db.executemany("INSERT INTO event VALUES (?, 0, '{}')", [(n,) for n in range(50)])
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return (folder / "made.db").read_bytes()


def read_state(path: Path) -> None:
    state = StateFile(path)
    state.apply(Settings())
    assert state.paused  # no damage ends a pause


def read_outbox(path: Path) -> None:
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    open_event_file(path).close()


def attack(
    folder: Path, content: bytes, read: Callable[[Path], object], mutations: int = MUTATIONS
) -> None:
    rng, path = random.Random(1), folder / "x"
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for number in range(mutations):
        damaged = mutated(rng, content)
        path.write_bytes(damaged)
        start_s = time.thread_time()
        try:
            read(path)
            said = ""
        except MienError as error:
            said = str(error)
        except Exception as error:
            raise AssertionError(f"mutation {number}: {damaged[:2000]!r}") from error
        assert time.thread_time() - start_s < MAX_S, (number, damaged[:2000])
        assert "\n" not in said.strip(), (number, said)
        assert len(said) < 2000, (number, said)
    after_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert after_mb - before_mb < MAX_MEMORY_MB


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["settings", "state", "card", "bundle", "outbox", "command"])
def test_ten_thousand_damaged_ones_are_a_sentence_each(tmp_path: Path, reader: str) -> None:
    command = json.dumps({"settings": {"smoothing.threshold": 0.7}, "transaction": "a"}).encode()
    commands = CommandReader()
    cases: dict[str, tuple[bytes, Callable[[Path], object]]] = {
        "settings": (settings_bytes(), load_settings),
        "state": (state_bytes(tmp_path), read_state),
        "card": ((MODELS / "landmarks.json").read_bytes(), read_card),
        "bundle": (bundle_bytes(), read_bundle),
        "outbox": (outbox_bytes(tmp_path), read_outbox),
        "command": (command, lambda path: commands.read("set", path.read_bytes())),
    }
    attack(tmp_path, *cases[reader])


@pytest.mark.parametrize(
    "text",
    [
        "a." * 20_000 + "a = 1",
        "[" + "a." * 20_000 + "a]",
        "x = " + "[" * 60_000,
        "x = " + "{a=" * 20_000,
        "[camera]\nwidth = " + "9" * 5001,
        "[camera]\nwidth = 0x" + "f" * 50_000,
        "[smoothing]\nthreshold = " + "9" * 401,
        "camera = 1\n[" + " " * 60_000,
        "\n".join(f"[k{number}]" for number in range(6000)),
        '[camera]\npath = "\\u0000"',
        "[camera]\nsource = " + "[" * 900 + "]" * 900,
        '"' + "k" * 60_000 + '" = 1',
    ],
    ids=range(12),
)
def test_odd_settings_are_one_short_sentence_at_once(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mien.toml"
    path.write_text(text)
    start_s = time.thread_time()
    with pytest.raises(MienError) as raised:
        load_settings(path)
    assert time.thread_time() - start_s < MAX_S
    assert len(str(raised.value).splitlines()) == 1
    assert len(str(raised.value)) < 500
    assert raised.value.exit_status == 78
