from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from device.errors import CameraError
from device.pipeline import MAX_FAILED_FRAMES, Parts, find_problem, run
from device.settings.tree import Smoothing
from device.vision.expression_smoother import ExpressionSmoother
from device.vocabulary import CameraState, Classification, EventType, Frame, Scene
from tests.fakes import (
    CROP,
    FakeCamera,
    FakeDisplay,
    FakePublisher,
    FakeTracker,
    FakeWatchdog,
    fake_parts,
    grey_frame,
    nobody_asks,
)


def never() -> bool:
    return False


def test_every_frame_goes_from_camera_to_publisher_and_screen() -> None:
    parts = fake_parts([grey_frame(0.0), grey_frame(0.1)])
    run(parts, nobody_asks, never)
    assert isinstance(parts.publisher, FakePublisher)
    assert [e.at_s for e in parts.publisher.events] == [0.0, 0.1]
    assert isinstance(parts.display, FakeDisplay)
    assert len(parts.display.frames) == 2
    assert isinstance(parts.watchdog, FakeWatchdog)
    assert parts.watchdog.pats == 2
    assert parts.metrics.counts()["frames"] == 2
    assert {"detect_track", "classify", "smooth", "publish"} <= set(parts.metrics.stage_times_ms())


def test_stop_ends_before_the_next_frame_is_processed() -> None:
    parts = fake_parts([grey_frame(0.0), grey_frame(0.1)])
    answers = iter([False, True])
    run(parts, nobody_asks, lambda: next(answers))
    assert parts.metrics.counts()["frames"] == 1


def test_one_bad_frame_is_dropped_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    parts = fake_parts([grey_frame(float(t)) for t in range(4)], fails_at=(1.0, 2.0))
    run(parts, nobody_asks, never)
    assert isinstance(parts.publisher, FakePublisher)
    assert [e.at_s for e in parts.publisher.events] == [0.0, 3.0]
    assert parts.metrics.counts()["failed_frames"] == 2
    assert len([r for r in caplog.records if "odd frame" in r.message]) == 1
    assert isinstance(parts.watchdog, FakeWatchdog)
    assert parts.watchdog.pats == 2


def test_a_run_of_bad_frames_is_raised() -> None:
    times = [float(t) for t in range(MAX_FAILED_FRAMES + 5)]
    parts = fake_parts([grey_frame(t) for t in times])
    parts.tracker = FakeTracker(fails_at=times)
    with pytest.raises(ValueError, match="odd frame"):
        run(parts, nobody_asks, never)
    assert parts.metrics.counts()["failed_frames"] == MAX_FAILED_FRAMES


def test_a_lost_camera_is_told_and_the_watchdog_lives_only_while_it_responds() -> None:
    def losing() -> Iterator[Frame | None]:
        yield grey_frame(0.0)
        camera.problem = "camera unplugged"
        yield None
        camera.responsive = False
        yield None

    parts = fake_parts([])
    camera = FakeCamera(losing())
    parts.camera = camera
    run(parts, nobody_asks, never)
    assert isinstance(parts.publisher, FakePublisher)
    states = [(s.camera, s.problem) for _, s in parts.publisher.shown]
    assert states == [
        (CameraState.ONLINE, None),
        (CameraState.OFFLINE, "camera unplugged"),
        (CameraState.OFFLINE, "camera unplugged"),
    ]
    assert isinstance(parts.watchdog, FakeWatchdog)
    assert parts.watchdog.pats == 2


def test_a_camera_that_is_lost_while_a_frame_is_finished_is_told_as_one_state() -> None:
    class Unsteady(FakeCamera):
        """Its thread finds out between any two looks at it."""

        looks = 0

        @property  # type: ignore[override]
        def problem(self) -> str | None:
            self.looks += 1
            return None if self.looks % 2 else "camera unplugged"

        @problem.setter
        def problem(self, _: str | None) -> None: ...

    parts = fake_parts([])
    parts.camera = Unsteady([grey_frame(0.0), grey_frame(0.1), None])
    run(parts, nobody_asks, never)
    assert isinstance(parts.publisher, FakePublisher)
    told = {(status.camera, status.problem) for _, status in parts.publisher.shown}
    assert told == {(CameraState.ONLINE, None), (CameraState.OFFLINE, "camera unplugged")}


def test_paused_looks_at_no_frame() -> None:
    parts = fake_parts([grey_frame(0.0)])
    parts.paused = True
    run(parts, nobody_asks, never)
    assert isinstance(parts.publisher, FakePublisher)
    assert parts.publisher.events == []
    assert parts.publisher.shown[-1][1].camera is CameraState.PAUSED
    assert isinstance(parts.display, FakeDisplay)
    assert parts.display.frames == [None]


def test_a_face_stays_through_a_gap_of_the_camera_until_it_has_vanished() -> None:
    now_s = [0.0]

    def stuttering() -> Iterator[Frame | None]:
        yield grey_frame(0.0)
        for gap_s in (0.5, 0.9, 1.6):
            now_s[0] = gap_s
            yield None

    parts = fake_parts([])
    parts.camera = FakeCamera(stuttering())
    parts.smoother = ExpressionSmoother(Smoothing(dwell_s=0, refractory_s=0, vanish_after_s=1.0))
    run(parts, nobody_asks, never, clock=lambda: now_s[0])
    assert isinstance(parts.publisher, FakePublisher)
    assert [len(scene.faces) for scene, _ in parts.publisher.shown] == [1, 1, 1, 0]
    assert parts.publisher.events[-1].event_type is EventType.VANISHED


def test_what_is_collected_is_the_crop_that_was_classified() -> None:
    parts, collected = fake_parts([grey_frame(3.0)]), list[tuple[np.ndarray | None, float]]()

    def collect(classifications: Sequence[Classification], now_s: float) -> None:
        collected.extend((c.face.crop, now_s) for c in classifications)

    parts.collect = collect
    run(parts, nobody_asks, never)
    [(crop, now_s)] = collected
    assert crop is CROP
    assert now_s == 3.0


def test_a_command_that_fails_costs_a_frame_and_not_the_daemon() -> None:
    parts = fake_parts([grey_frame(0.0), grey_frame(0.1)])
    failures = iter([ZeroDivisionError("odd command")])

    def carry_out(scene: Scene, frame: Frame | None) -> None:
        if failure := next(failures, None):
            raise failure

    run(parts, carry_out, never)
    assert isinstance(parts.publisher, FakePublisher)
    assert [e.at_s for e in parts.publisher.events] == [0.1]
    assert parts.metrics.counts()["failed_frames"] == 1


def watched(frames: Iterable[Frame | None]) -> tuple[Parts, list[tuple[EventType, int]]]:
    """Parts that tell of a face at its first frame; what they have told."""
    parts = fake_parts(frames)
    parts.smoother = ExpressionSmoother(Smoothing(dwell_s=0, refractory_s=0))
    told: list[tuple[EventType, int]] = []
    parts.publisher.publish = lambda e: told.append((e.event_type, e.track_id))  # type: ignore[method-assign]
    return parts, told


def test_who_is_in_view_vanishes_when_the_source_ends_and_at_a_stop() -> None:
    for stop in (never, iter([False, True]).__next__):
        parts, told = watched([grey_frame(0.0), grey_frame(0.1)])
        run(parts, nobody_asks, stop)
        assert told == [(EventType.APPEARED, 1), (EventType.VANISHED, 1)]


def test_who_is_in_view_vanishes_when_the_camera_gives_up() -> None:
    def giving_up() -> Iterator[Frame | None]:
        yield grey_frame(0.0)
        raise CameraError("unplugged for too long")

    parts, told = watched(giving_up())
    with pytest.raises(CameraError):
        run(parts, nobody_asks, never)
    assert told[-1] == (EventType.VANISHED, 1)


def test_a_pause_ends_each_face_at_once_and_afterwards_it_is_another_one() -> None:
    parts, told = watched([grey_frame(number / 10) for number in range(3)])

    def pause_for_a_frame(scene: Scene, frame: Frame | None) -> None:
        parts.paused = frame is not None and frame.captured_at_s == 0.0

    run(parts, pause_for_a_frame, never)
    assert told == [
        (EventType.APPEARED, 1),
        (EventType.VANISHED, 1),
        (EventType.APPEARED, 2),
        (EventType.VANISHED, 2),
    ]


def test_a_command_gets_what_was_seen_with_its_own_picture_or_none() -> None:
    """Between two frames the newer one shows another place of the face than the scene does."""
    parts = fake_parts([grey_frame(0.0), grey_frame(0.1), None, grey_frame(0.3), grey_frame(0.4)])
    parts.tracker = FakeTracker(fails_at=(0.3,))
    asked: list[tuple[float, float | None]] = []

    def ask(scene: Scene, frame: Frame | None) -> None:
        asked.append((scene.at_s, frame.captured_at_s if frame else None))

    run(parts, ask, never, clock=lambda: 0.2)
    assert asked == [(0.2, None), (0.0, 0.0), (0.1, 0.1), (0.2, None), (0.2, None)]


def test_another_camera_goes_on_where_one_was_closed() -> None:
    parts = fake_parts([grey_frame(0.0), grey_frame(0.1)])
    first, second = parts.camera, FakeCamera([grey_frame(0.2), grey_frame(0.3)])

    def exchange(scene: Scene, frame: Frame | None) -> None:
        if frame is None:
            parts.camera = second
            first.close()

    run(parts, exchange, never)
    assert isinstance(parts.publisher, FakePublisher)
    assert [e.at_s for e in parts.publisher.events] == [0.0, 0.2, 0.3]


def test_of_several_problems_one_is_told_and_while_paused_the_cameras_is_none() -> None:
    parts = fake_parts([])
    assert find_problem(parts) is None
    problems = ["the broker is away", "the state file is damaged", "the camera is lost"]
    assert isinstance(parts.publisher, FakePublisher)
    assert isinstance(parts.camera, FakeCamera)
    parts.publisher.problem = problems[0]
    assert find_problem(parts) == problems[0]
    parts.status = replace(parts.status, problem=problems[1])
    assert find_problem(parts) == problems[1]
    parts.camera.problem = problems[2]
    assert find_problem(parts) == problems[2]
    parts.paused = True
    assert find_problem(parts) == problems[1]
