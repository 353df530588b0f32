"""What goes over the wire, and the topics of one device."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """One MQTT publication."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


@dataclass(frozen=True)
class Topics:
    """The topics of one device.

    Args:
        prefix: first part of every topic.
        device_id: second part.
    """

    prefix: str
    device_id: str

    def __call__(self, name: str) -> str:
        """``state`` becomes ``mien/<device_id>/state``."""
        return f"{self.prefix}/{self.device_id}/{name}"
