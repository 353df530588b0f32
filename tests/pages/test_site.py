"""The documents as a site: strict, in the order of the index, nothing from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="mkdocs is not installed")

from tests.pages.site import DOCS, navigation, without_links_out

ROOT = DOCS.parent


def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) >= len(list(DOCS.glob("*.md")))
    for page in pages:
        loaded = re.findall(r'(?:src|<link[^>]*href)="(https?:)?//', page.read_text())
        assert not loaded, page.name


def test_a_wrong_link_is_told(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("[gone](gone.md)\n")
    config = (ROOT / "mkdocs.yml").read_text().replace("hooks: [tests/pages/site.py]\n", "")
    (tmp_path / "mkdocs.yml").write_text(config)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert "gone.md" in done.stderr


def test_the_order_is_the_index_s() -> None:
    index = "# A\n\n- [no](no.md)\n\n## B\n\n- [C](c.md): words\n- [D](d/README.md)\n"
    assert navigation(index) == [
        {"Documents": "index.md"},
        {"B": [{"C": "c.md"}, {"D": "d/README.md"}]},
    ]


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("[the licence](../LICENSE)", "the licence (`LICENSE`)"),
        ("[CONTRIBUTING](../CONTRIBUTING.md)", "CONTRIBUTING"),
        ("[examples](examples/)", "[examples](examples/README.md)"),
        ("[blueprints](examples/blueprints/)", "blueprints"),
        ("[faces](faces.md#crop)", "[faces](faces.md#crop)"),
        ("[below](#measures)", "[below](#measures)"),
        ("![a picture](img/demo.png)", "![a picture](img/demo.png)"),
    ],
)
def test_links_that_leave_the_documents_become_names(link: str, shown: str) -> None:
    assert without_links_out(f"See {link}.", Path()) == f"See {shown}."
