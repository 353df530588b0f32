"""What the screen says, whatever it is made of."""

from __future__ import annotations

from dataclasses import dataclass

from device.vocabulary import CameraState, FaceState, Frame, Scene, Status, SyntheticFace

NOTICE = "Expressions are being read here. No picture is kept."
PAGE_NOTICE = "Expressions are being read here. A web page shows the picture; none is kept."
CAPTURE_PAGE_NOTICE = "Expressions are being read here. Pictures are kept, and shown on a web page."
CAPTURE_NOTICE = "Expressions are being read here. Pictures of faces are kept on this device."

BROKER_AWAY = "broker away"


def notice_text(wanted: bool, capturing: bool, on_page: bool = False) -> str:
    """The notice; even if it was switched off while pictures are collected or can be looked at."""
    if capturing:
        return CAPTURE_PAGE_NOTICE if on_page else CAPTURE_NOTICE
    if on_page:
        return PAGE_NOTICE
    return NOTICE if wanted else ""


@dataclass(frozen=True)
class Shown:
    """The newest state, handed from the loop to a painter.

    Attributes:
        scene: the faces, largest first.
        status: camera, problem, model.
        frame: for the camera view; None without one.
        flash: True in the bright half of ``identify``'s blinking.
        synthetic: the largest face with another expression; None without one.
    """

    scene: Scene
    status: Status
    frame: Frame | None = None
    flash: bool = False
    synthetic: SyntheticFace | None = None


def headline(shown: Shown) -> str | None:
    """The large words when there is no face to name; None when there is.

    What is worst goes first: without a picture nobody is seen, and without the broker nobody
    hears of it.
    """
    if shown.status.camera is CameraState.PAUSED:
        return "paused"
    if shown.status.camera is CameraState.OFFLINE:
        return "camera lost"
    if shown.scene.faces:
        return None
    return BROKER_AWAY if shown.status.broker_away else "no face"


def problem_line(status: Status) -> str:
    """The small line on what is wrong; empty when all is well."""
    said = (BROKER_AWAY if status.broker_away else None, status.problem)
    return "; ".join(filter(None, said))


def caption(synthetic: SyntheticFace) -> str:
    """What stands under a made face, so that nobody takes it for the camera's picture."""
    return f"synthetic: {synthetic.expression.value}"


def percent(face: FaceState) -> str:
    """``83 %``."""
    return f"{face.probability * 100:.0f} %"
