"""What mkdocs is told beyond mkdocs.yml: the order of the pages, and links that leave docs/."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"


def navigation(index: str) -> list[dict[str, Any]]:
    """The headings of docs/index.md with the pages below them."""
    found: list[dict[str, Any]] = [{"Documents": "index.md"}]
    for part in index.split("\n## ")[1:]:
        links = re.findall(r"^- \[([^]]+)\]\(([^)#]+)\)", part, re.MULTILINE)
        found.append({part.splitlines()[0]: [{title: target} for title, target in links]})
    return found


def on_config(config: Any) -> Any:
    """Called by mkdocs."""
    config.nav = navigation((DOCS / "index.md").read_text(encoding="utf-8"))
    return config


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Called by mkdocs: a file outside docs/ is named, as the site has no page of it."""
    return without_links_out(markdown, Path(page.file.src_uri).parent)


def without_links_out(markdown: str, folder: Path) -> str:
    """The text with ``[words](../file)`` as "words (`file`)" and folders as their README."""

    def instead(link: re.Match[str]) -> str:
        words, target = link.groups()
        path = target.partition("#")[0]
        if path.startswith(("http://", "https://")) or not path:
            return link[0]
        place = (DOCS / folder / path).resolve()
        if not place.is_relative_to(DOCS):
            name = place.relative_to(DOCS.parent).as_posix()
            return words if words.strip("`") in (name, Path(name).stem) else f"{words} (`{name}`)"
        if place.is_dir():
            readme = (place / "README.md").exists()
            return f"[{words}]({path.rstrip('/')}/README.md)" if readme else words
        return link[0]

    return re.sub(r"(?<!!)\[([^]]+)\]\(([^)\s]+)\)", instead, markdown)
