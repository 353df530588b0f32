"""Publisher and screen as the loop knows them, with the page looking on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from device.pipeline import Display, Parts, Publisher
from device.vocabulary import Classification, ExpressionEvent, Frame, Scene, Status

Collect = Callable[[Sequence[Classification], float], None]


class Observer(Protocol):
    """Is told what the loop tells broker and screen; returns at once, never raises."""

    def publish(self, event: ExpressionEvent) -> None:
        """An event as it is sent."""

    def collect(self, classifications: Sequence[Classification], now_s: float) -> None:
        """The frame's faces before smoothing, largest first."""

    def show(self, scene: Scene, status: Status, frame: Frame | None) -> None:
        """The newest state."""


def let_observe(parts: Parts, observer: Observer) -> None:
    """From now on the observer is told, too."""
    parts.publisher = _ObservedPublisher(parts.publisher, observer)
    parts.display = _ObservedDisplay(parts.display, observer)
    parts.collect = _both(parts.collect, observer.collect)


class _ObservedPublisher:
    def __init__(self, publisher: Publisher, observer: Observer) -> None:
        self._publisher, self._observer = publisher, observer
        self.show = publisher.show

    def publish(self, event: ExpressionEvent) -> None:
        self._publisher.publish(event)
        self._observer.publish(event)

    @property
    def problem(self) -> str | None:
        return self._publisher.problem

    @property
    def broker_away(self) -> bool:
        return self._publisher.broker_away


class _ObservedDisplay:
    def __init__(self, display: Display, observer: Observer) -> None:
        self._display, self._observer = display, observer

    def show(self, scene: Scene, status: Status, frame: Frame | None) -> None:
        self._display.show(scene, status, frame)
        self._observer.show(scene, status, frame)


def _both(first: Collect, second: Collect) -> Collect:
    def collect(classifications: Sequence[Classification], now_s: float) -> None:
        first(classifications, now_s)
        second(classifications, now_s)

    return collect
