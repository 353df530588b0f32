from __future__ import annotations

import io
from dataclasses import replace

import numpy as np

from device.display.terminal import LinePainter, TerminalPainter
from device.display.wording import NOTICE, Shown
from device.vocabulary import BoundingBox, CameraState, Expression, FaceState, Scene, Status

ONLINE = Status(CameraState.ONLINE, model="expression 1.0")


def face(track_id: int, expression: Expression, probability: float = 0.83) -> FaceState:
    box = BoundingBox(0, 0, 100, 100)
    return FaceState(track_id, expression, probability, np.zeros(7, np.float32), box, 0.0)


def shown(*faces: FaceState, status: Status = ONLINE) -> Shown:
    return Shown(Scene(faces, 640, 480, 0.0), status)


class Virtual:
    """A terminal of lines that understands what TerminalPainter writes."""

    def __init__(self) -> None:
        self.lines = [""]
        self.row = self.column = 0

    def write(self, text: str) -> int:
        position = 0
        while position < len(text):
            character = text[position]
            if character == "\x1b":
                end = position + 2
                while not text[end].isalpha():
                    end += 1
                self._control(text[position + 2 : end], text[end])
                position = end + 1
                continue
            position += 1
            if character == "\n":
                self.row, self.column = self.row + 1, 0
                if self.row == len(self.lines):
                    self.lines.append("")
            elif character == "\r":
                self.column = 0
            else:
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[: self.column] + character + line[self.column + 1 :]
                self.column += 1
        return len(text)

    def _control(self, number: str, letter: str) -> None:
        if letter == "A":
            self.row -= int(number)
        elif letter == "J":
            self.lines[self.row] = self.lines[self.row][: self.column]
            del self.lines[self.row + 1 :]

    def flush(self) -> None:
        """Nothing is held back."""


def painter(stream: Virtual | io.StringIO, columns: int = 80, rows: int = 24) -> TerminalPainter:
    return TerminalPainter(
        stream,  # type: ignore[arg-type]
        name="Hall",
        color=False,
        size=lambda: (columns, rows),
        clock_text=lambda: "12:00:00",
    )


def test_a_face_is_a_name_a_bar_and_a_percentage() -> None:
    stream = Virtual()
    painter(stream).paint(shown(face(3, Expression.HAPPY, 0.5)))
    assert stream.lines == [
        "",
        "Hall  expression 1.0  12:00:00",
        "face 3   happy     ████████████░░░░░░░░░░░░  50 %",
        NOTICE,
    ]


def test_the_block_is_redrawn_in_place() -> None:
    stream = Virtual()
    screen = painter(stream)
    screen.paint(shown(face(1, Expression.HAPPY), face(2, Expression.SAD)))
    screen.paint(shown())
    assert stream.lines[1:] == ["Hall  expression 1.0  12:00:00", "no face", NOTICE]


def test_a_log_line_in_between_stays_whole() -> None:
    stream = Virtual()
    screen = painter(stream)
    screen.paint(shown())
    stream.write("WARNING the broker went away\n")
    screen.paint(shown())
    assert stream.lines[0] == "WARNING the broker went away"
    assert stream.lines.count("no face") == 1


def test_close_leaves_the_block_and_the_cursor_below_it() -> None:
    stream = Virtual()
    screen = painter(stream)
    screen.paint(shown())
    screen.close()
    stream.write("$ ")
    assert stream.lines[-2:] == [NOTICE, "$ "]


def test_states_without_faces_have_their_words() -> None:
    for camera, words in (
        (CameraState.PAUSED, "paused"),
        (CameraState.OFFLINE, "camera lost"),
        (CameraState.ONLINE, "no face"),
    ):
        stream = Virtual()
        painter(stream).paint(shown(status=Status(camera, problem="/dev/video0: unplugged")))
        assert words in stream.lines
        assert "! /dev/video0: unplugged" in stream.lines


def test_more_faces_than_rows_are_counted_and_long_lines_cut() -> None:
    stream = Virtual()
    faces = [replace(face(n, Expression.UNCERTAIN), rejection_reason="too dark") for n in range(30)]
    painter(stream, columns=40, rows=12).paint(shown(*faces))
    assert "and 23 more" in stream.lines
    assert len(stream.lines) <= 12
    assert max(map(len, stream.lines)) < 40


def test_color_is_used_only_when_wanted() -> None:
    plain, colored = io.StringIO(), io.StringIO()
    painter(plain).paint(shown())
    TerminalPainter(colored, color=True, size=lambda: (80, 24)).paint(shown())
    assert "\x1b[1m" not in plain.getvalue()
    assert "\x1b[1m" in colored.getvalue()


def test_lines_tell_each_change_once() -> None:
    stream = io.StringIO()
    lines = LinePainter(stream, clock_text=lambda: "12:00:00")
    broken = Status(CameraState.OFFLINE, problem="/dev/video0: unplugged")
    for state in (
        shown(face(1, Expression.NEUTRAL, 0.7)),
        shown(face(1, Expression.NEUTRAL, 0.9)),
        shown(face(1, Expression.HAPPY, 0.8)),
        shown(),
        shown(),
        shown(status=broken),
        shown(status=broken),
        shown(),
    ):
        lines.paint(state)
    assert stream.getvalue().replace("12:00:00 ", "").splitlines() == [
        "face 1: neutral 70 %",
        "face 1: happy 80 %",
        "face 1: gone",
        "no face",
        "camera lost",
        "! /dev/video0: unplugged",
        "no face",
        "all well again",
    ]


def test_a_broker_that_is_away_is_told_once_and_its_return_too() -> None:
    stream = io.StringIO()
    lines = LinePainter(stream, clock_text=lambda: "12:00:00")
    away = Status(CameraState.ONLINE, "broker hall.lan:1883: no answer", broker_away=True)
    one = face(1, Expression.HAPPY, 0.8)
    for state in (shown(), shown(status=away), shown(one, status=away), shown(one)):
        lines.paint(state)
    assert stream.getvalue().replace("12:00:00 ", "").splitlines() == [
        "no face",
        "broker away",
        "! broker away; broker hall.lan:1883: no answer",
        "face 1: happy 80 %",
        "all well again",
    ]
