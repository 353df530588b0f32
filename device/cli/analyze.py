"""``mien analyze``: batch inference on pictures, folders and videos, one JSON line a frame.

Each line is ``{"source", "frame", "width", "height", "faces": [{"box", "score", "landmarks",
"expression", "probability", "probabilities", "track_id"}]}``. The expression is the most
probable one, whatever its probability (nothing is smoothed here); a face too small, blurred,
dark, bright or turned to be read is ``uncertain`` and carries the reason as ``doubt``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from device.camera import replay
from device.camera.folder import list_sources
from device.camera.media_file import is_video
from device.composition import Vision, build_vision
from device.errors import CameraError, MienError, UsageError
from device.settings import Settings, load_settings
from device.vision.annotate import draw
from device.vision.preprocess import to_grey
from device.vocabulary import EXPRESSIONS, Classification, Frame


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="picture, folder, video"
    )
    parser.add_argument("--json", action="store_true", help="JSON lines also in a terminal")
    parser.add_argument("--save", type=Path, metavar="DIR", help="write annotated pictures here")


def main(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Analyzes every path; unreadable ones are reported and the others go on."""
    settings = load_settings(args.config, environment)
    stills = build_vision(settings)
    as_json = args.json or not sys.stdout.isatty()
    status = 0
    files: list[Path] = []
    for path in args.paths:
        try:
            listing = list_sources(path)
        except CameraError as error:
            status = _report(error)
            continue
        files += listing.files
        for sentence in listing.left_out:
            _say(sentence)
        for sentence in listing.unreadable:
            status = _report(CameraError(sentence))
    album = _Album(args.save, files) if args.save else None
    with tqdm(files, unit="file", disable=not _long_work(files), file=sys.stderr) as progress:
        for path in progress:
            try:
                for frame, result, classifications in analyze(path, settings, stills):
                    print(json.dumps(result) if as_json else _for_people(result), flush=True)
                    if album:
                        album.save(frame, result["frame"], classifications)
            except MienError as error:
                if not isinstance(error, CameraError):
                    raise
                status = _report(error)
    return status


def analyze(
    path: Path, settings: Settings, stills: Vision
) -> Iterator[tuple[Frame, dict[str, Any], list[Classification]]]:
    """Yields every frame of a picture or video with its JSON object and classifications.

    Args:
        path: one picture or video.
        settings: for the fresh tracker that each video gets.
        stills: the parts that all pictures share.

    Raises:
        CameraError: the file cannot be read.
    """
    is_clip = is_video(path)
    vision = build_vision(settings) if is_clip else stills
    for number, frame in enumerate(replay.read_all(path, color=True)):
        image = to_grey(frame.image)
        if is_clip:
            faces = vision.tracker.update(image, frame.captured_at_s)
        else:
            faces = vision.examine(image)
        classifications = vision.classifier.classify(image, faces)
        yield frame, describe(frame, number, classifications), classifications


def describe(frame: Frame, number: int, classifications: list[Classification]) -> dict[str, Any]:
    """The documented JSON object of one frame."""
    return {
        "source": frame.source,
        "frame": number,
        "width": frame.width,
        "height": frame.height,
        "faces": [_describe_face(c) for c in classifications],
    }


def _describe_face(classification: Classification) -> dict[str, Any]:
    face = classification.face
    # float64 first: a float32 rounded to 161.6 is written as 161.60000610351562.
    landmarks = None if face.landmarks is None else face.landmarks.astype(np.float64)
    described: dict[str, Any] = {
        "box": list(face.box.as_pixels()),
        "score": round(float(face.score), 4),
        "landmarks": None if landmarks is None else np.round(landmarks, 1).tolist(),
        "expression": classification.expression.value,
        "probability": round(classification.probability, 4),
        "probabilities": {
            e.value: round(float(p), 4)
            for e, p in zip(EXPRESSIONS, classification.probabilities, strict=True)
        },
    }
    if face.rejection_reason:
        described["doubt"] = face.rejection_reason
    if face.track_id is not None:
        described["track_id"] = face.track_id
    return described


def _for_people(result: dict[str, Any]) -> str:
    where = f"{result['source']}#{result['frame']}" if result["frame"] else result["source"]
    faces = ", ".join(f"{f['expression']} {f['probability']:.0%}" for f in result["faces"])
    return f"{where}: {faces or 'no face'}"


class _Album:
    """Writes annotated pictures into one folder, each under a name of its own."""

    def __init__(self, folder: Path, sources: Sequence[Path]) -> None:
        if folder.resolve() in {path.resolve().parent for path in sources}:
            raise UsageError(
                f"--save {folder}: holds pictures to analyze, which must not be overwritten; "
                "name another folder"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{folder}: cannot make the folder: {error.strerror}") from error
        self._folder = folder
        self._stems: dict[str, str] = {}  # by source

    def save(self, frame: Frame, number: int, classifications: list[Classification]) -> None:
        """Draws and writes one frame.

        Raises:
            UsageError: the folder cannot be written to.
        """
        suffix = f"-{number:06d}" if is_video(Path(frame.source)) else ""
        target = self._folder / f"{self._stem(frame.source)}{suffix}.jpg"
        picture = cv2.cvtColor(draw(frame.image, classifications), cv2.COLOR_RGB2BGR)
        _, data = cv2.imencode(".jpg", picture)
        try:
            target.write_bytes(data.tobytes())
        except OSError as error:
            raise UsageError(f"{target}: cannot write: {error.strerror}") from error

    def _stem(self, source: str) -> str:
        if source not in self._stems:
            stem, number = Path(source).stem, 1
            while stem in self._stems.values():
                number += 1
                stem = f"{Path(source).stem}-{number}"
            self._stems[source] = stem
        return self._stems[source]


def _long_work(files: list[Path]) -> bool:
    return sys.stderr.isatty() and (len(files) > 3 or any(map(is_video, files)))


def _report(error: MienError) -> int:
    _say(str(error))
    return error.exit_status


def _say(sentence: str) -> None:
    tqdm.write(f"mien: {sentence}", file=sys.stderr)
