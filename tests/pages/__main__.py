"""``python -m tests.pages`` writes the pages of docs/ that are made from the code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from tests import topics
from tests.pages import settings, troubleshooting

DOCS = Path(__file__).parents[2] / "docs"
PAGES: dict[str, Callable[[], str]] = {
    "mqtt.md": topics.page,
    "settings.md": settings.page,
    "troubleshooting.md": troubleshooting.page,
}


def main() -> int:
    """Writes what has changed."""
    for name, page in PAGES.items():
        path, text = DOCS / name, page()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
