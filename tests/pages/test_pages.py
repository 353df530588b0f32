"""Pages made from the code are up to date, and each message has a remedy."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.pages.__main__ import DOCS, PAGES
from tests.pages.messages import Message, messages, template
from tests.pages.troubleshooting import Remedy, read_remedies, unused, without_remedy

SAID = messages()


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_up_to_date(name: str) -> None:
    expected = (DOCS / name).read_text(encoding="utf-8")
    assert PAGES[name]() == expected, "python -m tests.pages writes it"


def test_each_message_has_a_remedy() -> None:
    found = [
        f"{message.place}: {message.text}" for message in without_remedy(SAID, read_remedies())
    ]
    assert not found, "say in docs/remedies.toml what to do about:\n" + "\n".join(found)


def test_no_remedy_is_left_over() -> None:
    assert unused(SAID, read_remedies()) == []


def test_many_messages_are_found() -> None:
    assert len(SAID) > 150
    places = {message.place.split("/")[1] for message in SAID}
    assert places >= {"camera", "cli", "daemon", "mqtt", "settings", "vision"}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ('raise CameraError(f"{path}: is not there")', "{path}: is not there"),
        ('log.warning("outbox %s: it is full", path)', "outbox {value}: it is full"),
        ('log.error("a mistake was " "made")', "a mistake was made"),
        ('self.problem = f"{self._path.name} is damaged"', "{name} is damaged"),
        ('def explain(error):\n    return "the cable is loose"', "the cable is loose"),
        ('class A:\n    def go(self):\n        self._warn("all is lost")', "all is lost"),
    ],
)
def test_a_new_message_without_a_remedy_is_told(source: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "device").mkdir()
    (tmp_path / "device" / "new.py").write_text(source + "\n")
    assert [message.text for message in messages(tmp_path)] == [text]
    assert without_remedy(messages(tmp_path), [Remedy("a", ("nothing of it",), "b")])
    assert not without_remedy(messages(tmp_path), [Remedy("a", (f"*{text[-6:]}",), "b")])


@pytest.mark.parametrize(
    "source", ['log.info("it is all well")', 'raise ValueError("a mistake of ours")', 'x = "a b c"']
)
def test_what_nobody_reads_as_trouble_needs_no_remedy(source: str, tmp_path: Path) -> None:
    (tmp_path / "device").mkdir()
    (tmp_path / "device" / "new.py").write_text(source + "\n")
    assert messages(tmp_path) == []


def test_what_is_filled_in_has_a_name() -> None:
    node = ast.parse("f'{shown(path)}: {error.strerror}'", mode="eval").body
    assert template(node) == "{path}: {strerror}"


def test_the_first_remedy_that_fits_counts_and_stars_stand_for_anything() -> None:
    remedy = Remedy("a", ("{path}: *card*",), "b")
    assert remedy.fits(Message("{path}: the model card is [not] JSON", "x:1"))
    assert not remedy.fits(Message("{path}: another", "x:1"))
