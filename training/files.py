"""Files that are written whole or not at all, and the folder of the models that ship."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MODELS = Path(__file__).parents[1] / "device" / "models"  # pairs NAME.tflite and NAME.json


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file beside ``path`` to write into; it takes that place when the block ends well.

    A failure or a kill leaves what was there before. The suffix stays, for writers that go by it.
    """
    part = path.with_name("part-" + path.name)
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes a text file, whole or not at all."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Writes a JSON file, whole or not at all."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def write_table(path: Path, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Writes a CSV file, whole or not at all."""
    with whole(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
