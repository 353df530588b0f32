from __future__ import annotations

import pytest

from device.vision.smoothed_tracks import MAX_UNDETECTED_S, Tracks
from device.vocabulary import BoundingBox, Face

SIDE = 60


def face(x: float, y: float = 100, side: float = SIDE, sure: bool = True) -> Face:
    return Face(BoundingBox(x, y, x + side, y + side), 0.9, sure=sure)


def ids(tracks: Tracks) -> list[int]:
    return [track.track_id for track in tracks.active]


def test_a_face_seen_once_is_not_confirmed_and_goes_at_its_first_miss() -> None:
    tracks = Tracks()
    tracks.associate([face(0)], 0.0)
    assert [track.confirmed for track in tracks.active] == [False]
    tracks.associate([], 0.1)
    assert tracks.active == []


def test_an_unsure_face_counts_from_its_eighth_detection_on() -> None:
    tracks = Tracks()
    confirmed = []
    for step in range(8):
        tracks.associate([face(0, sure=False)], 0.2 * step)
        confirmed.append(tracks.active[0].confirmed)
    assert confirmed == [False] * 7 + [True]


def test_a_sure_detection_says_as_much_as_four_unsure_ones() -> None:
    tracks = Tracks()
    for step, sure in enumerate([False, False, True, False, False]):
        assert not any(track.confirmed for track in tracks.active)
        tracks.associate([face(0, sure=sure)], 0.2 * step)
    assert [track.confirmed for track in tracks.active] == [True]


def test_an_unsure_face_that_is_missed_soon_goes() -> None:
    tracks = Tracks()
    for step in range(2):
        tracks.associate([face(0, sure=False)], 0.2 * step)
    tracks.associate([], 0.4)
    assert tracks.active == []


def test_id_survives_missed_detections_for_a_second() -> None:
    tracks = Tracks()
    for now_s in (0.0, 0.2):
        tracks.associate([face(0)], now_s)
    for now_s in (0.4, 0.6, 0.8, 1.0):
        tracks.associate([], now_s)
    tracks.associate([face(4)], 1.15)
    assert ids(tracks) == [1]


def test_a_face_that_stays_away_is_forgotten_and_its_id_never_returns() -> None:
    tracks = Tracks()
    for now_s in (0.0, 0.2):
        tracks.associate([face(0)], now_s)
    tracks.associate([], 0.2 + MAX_UNDETECTED_S + 0.01)
    assert ids(tracks) == []
    tracks.associate([face(0)], 1.5)
    assert ids(tracks) == [2]


def test_ids_survive_a_crossing() -> None:
    tracks = Tracks()
    for step in range(31):
        now_s = step * 0.2
        left, right = face(20 * step), face(600 - 20 * step, y=115)
        # Detectors merge two faces in one place: at the crossing only one is found.
        hidden = abs(left.box.xmin - right.box.xmin) < SIDE / 2
        tracks.associate([left] if hidden else [right, left], now_s)
    last = {track.track_id: track.box.xmin for track in tracks.active}
    assert last[1] == pytest.approx(0, abs=15)  # the first detection, which began at the right
    assert last[2] == pytest.approx(600, abs=15)


def test_twenty_faces_keep_their_ids() -> None:
    tracks = Tracks()
    for step in range(5):
        crowd = [
            face(100 * column + 3 * step, 100 * row) for row in range(4) for column in range(5)
        ]
        tracks.associate(crowd[:: 1 if step % 2 else -1], step * 0.2)
    assert len(tracks.active) == 20
    assert sorted(ids(tracks)) == list(range(1, 21))


def test_jittering_detections_give_a_steadier_box() -> None:
    tracks = Tracks()
    sides = []
    for step in range(20):
        jitter = 6 if step % 2 else -6
        tracks.associate([face(100 - jitter / 2, 100 - jitter / 2, SIDE + jitter)], step * 0.2)
        sides.append(tracks.active[0].box.width)
    assert max(sides[4:]) - min(sides[4:]) < 6  # detections differ by 12


def test_predicts_with_the_velocity_it_saw() -> None:
    tracks = Tracks()
    for step in range(10):
        tracks.associate([face(10 * step)], step * 0.1)
    assert tracks.active[0].predicted(1.1).center[0] == pytest.approx(110 + SIDE / 2, abs=3)


def test_two_detections_of_one_frame_never_share_a_track() -> None:
    tracks = Tracks()
    tracks.associate([face(0)], 0.0)
    tracks.associate([face(2), face(6)], 0.2)
    assert sorted(ids(tracks)) == [1, 2]


def test_each_detection_is_told_its_track() -> None:
    tracks = Tracks()
    assert tracks.associate([face(0), face(500)], 0.0) == [1, 2]
    assert tracks.associate([face(900), face(502), face(2)], 0.1) == [3, 2, 1]
