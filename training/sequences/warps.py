"""Real neutral faces that show an expression for a moment: onset, apex, offset by action units."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from device.errors import UsageError
from device.vocabulary import EXPRESSIONS, Expression
from training.data.action_units import SIDE_PX, Head, Mesh, find_head, pose
from training.data.fer2013 import VOTE_COLUMNS, Pictures
from training.data.posed import POSES, draw_strengths
from training.reports.evaluate_smoothing import FRAME_RATE_HZ
from training.sequences.camera import Film, FilmCamera, Grey
from training.sequences.people import STILL_S, Person, Showing

MIN_NEUTRAL_VOTES = 6  # of ten: faces at rest, those among them that look a little sad too
ONSET_S, APEX_S, OFFSET_S = 0.3, 1.7, 0.3
STRENGTH = 1.2  # from here on all annotators would name the expression
REST_CHANGE_S = 1.0  # a resting face drifts from one small pose to the next in this time
AROUND_PX = 32  # added around the face, so that the detector sees it in surroundings
MIN_FOUND = 0.9  # share of the resting frames in which the device must find the face


def film_warps(
    pictures: Pictures, mesh: Mesh, camera: FilmCamera, number: int, random: np.random.Generator
) -> tuple[list[Person], int]:
    """Films neutral faces at rest and with each expression of ``POSES``.

    Args:
        pictures: of a split that nobody trains with, with votes.
        mesh: of ``load_mesh``.
        camera: that films.
        number: of people.
        random: chooses people, strengths and small movements.

    Returns:
        The people, and how many were left out as mesh model or detector saw no face.

    Raises:
        UsageError: nobody is left.
    """
    at_rest = np.flatnonzero(pictures.votes[:, VOTE_COLUMNS.index("neutral")] >= MIN_NEUTRAL_VOTES)
    people: list[Person] = []
    left_out = 0
    for index in random.permutation(at_rest):
        if len(people) == number:
            break
        head = find_head(mesh, pictures.pixels[index])
        rest = [] if head is None else camera.film(at_rest_frames(head, random))
        if head is None or sum(answer is not None for answer in rest) < MIN_FOUND * len(rest):
            left_out += 1
            continue
        showings = [
            show(head, expression, camera, random)
            for expression in POSES
            if expression is not Expression.NEUTRAL
        ]
        people.append(Person(f"{index}", [rest], showings))
    if not people:
        raise UsageError(f"nobody has {MIN_NEUTRAL_VOTES} neutral votes and a face that is found")
    return people, left_out


def show(
    head: Head, expression: Expression, camera: FilmCamera, random: np.random.Generator
) -> Showing:
    """An expression that comes, stays and goes."""
    strengths = draw_strengths(expression, STRENGTH, random)
    frames = [
        around(pose(head, {unit: share * value for unit, value in strengths.items()}))
        for share in course()
    ]
    film: Film = camera.film(frames)
    apex = round((ONSET_S + APEX_S) * FRAME_RATE_HZ) - 1
    return Showing(EXPRESSIONS.index(expression), film, len(film), apex, again=False)


def course() -> list[float]:
    """Strength of each frame, 0 to 1: a smooth rise, a plateau, a smooth fall."""
    rise = (1 - np.cos(np.linspace(0, np.pi, round(ONSET_S * FRAME_RATE_HZ) + 1)[1:])) / 2
    fall = (1 + np.cos(np.linspace(0, np.pi, round(OFFSET_S * FRAME_RATE_HZ) + 1)[1:])) / 2
    return [*rise, *np.ones(round(APEX_S * FRAME_RATE_HZ)), *fall]


def at_rest_frames(head: Head, random: np.random.Generator) -> Iterator[Grey]:
    """A face at rest, which is never quite still."""
    steps = round(REST_CHANGE_S * FRAME_RATE_HZ)
    before = draw_strengths(Expression.NEUTRAL, 1.0, random)
    for _ in range(round(STILL_S / REST_CHANGE_S)):
        after = draw_strengths(Expression.NEUTRAL, 1.0, random)
        for share in np.arange(steps) / steps:
            mixed = {u: (1 - share) * before[u] + share * after[u] for u in before}
            yield around(pose(head, mixed))
        before = after


def around(face: npt.NDArray[np.uint8]) -> Grey:
    """The (SIDE_PX, SIDE_PX) face in the middle of a larger frame."""
    px = AROUND_PX
    framed = cv2.copyMakeBorder(face, px, px, px, px, cv2.BORDER_REPLICATE)
    assert framed.shape[0] == SIDE_PX + 2 * px
    return np.asarray(framed, np.uint8)
