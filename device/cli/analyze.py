"""``mien analyze``: batch inference on pictures, folders and videos, one JSON line a frame.

Each line is ``{"source", "frame", "time_s", "width", "height", "faces": [{"box", "score",
"landmarks", "expression", "probability", "probabilities", "track_id"}]}``. The expression is the
most probable one, whatever its probability (nothing is smoothed here); a face too small, blurred,
dark, bright or turned to be read is ``uncertain`` and carries the rejection reason. Frames of a
video have ``time_s``, seconds from its start, and each answers for itself: tracking only adds
``track_id``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from device.camera import replay
from device.camera.media_file import is_video
from device.camera.replay import list_sources
from device.cli.album import Album, CopyError
from device.cli.arguments import given_path
from device.daemon.build import build_vision
from device.errors import CameraError, MienError
from device.settings import load_settings
from device.vision.smoothed_tracks import Tracks
from device.vision.stage import Vision
from device.vocabulary import EXPRESSIONS, Classification, Frame

Result = tuple[Frame, dict[str, Any], list[Classification]]  # the second as JSON shows it
Keep = Callable[[Frame, list[Classification]], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "paths", nargs="+", type=given_path, metavar="PATH", help="picture, folder, video"
    )
    parser.add_argument("--json", action="store_true", help="JSON lines also in a terminal")
    parser.add_argument(
        "--save", type=given_path, metavar="DIR", help="write annotated pictures and videos here"
    )


def main(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Analyzes every path; unreadable ones are reported and the others go on."""
    settings = load_settings(args.config, environment)
    as_json = args.json or not sys.stdout.isatty()
    files, status = _list(args.paths)
    if not files:
        return status
    album = Album(args.save, files) if args.save else None
    vision = build_vision(settings)
    with tqdm(
        files, unit="file", disable=not _long_work(files), file=sys.stderr, miniters=0
    ) as progress:
        for path in progress:
            try:
                with album.page(path) if album else nullcontext(_keep_nothing) as keep:
                    results = _shown(analyze(path, vision), progress)
                    status = _tell(results, as_json, keep) or status
            except CameraError as error:
                status = _report(error)
    return status


def _tell(results: Iterator[Result], as_json: bool, keep: Keep) -> int:
    """Prints each frame's result; a copy that cannot be made ends no more than the copy."""
    status = 0
    for frame, result, classifications in results:
        print(json.dumps(result) if as_json else _for_people(result), flush=True)
        try:
            keep(frame, classifications)
        except CopyError as error:
            status, keep = _report(error), _keep_nothing
    return status


def _shown(results: Iterator[Result], progress: tqdm[Path]) -> Iterator[Result]:
    """The same; the progress bar, which counts files, names the frame of a long video."""
    for result in results:
        progress.set_postfix_str(f"frame {result[1]['frame']}", refresh=False)
        progress.update(0)  # draws it when it is due
        yield result


def _list(paths: Sequence[Path]) -> tuple[list[Path], int]:
    """All files to analyze, and the exit status so far; names what is left out."""
    files: list[Path] = []
    status = 0
    for path in paths:
        try:
            listing = list_sources(path)
        except CameraError as error:
            status = _report(error)
            continue
        files += listing.files
        for sentence in listing.left_out:
            _report(sentence)
        for sentence in listing.unreadable:
            status = _report(sentence)
    return files, status


def analyze(path: Path, vision: Vision) -> Iterator[Result]:
    """Yields every frame of a picture or video with its JSON object and classifications.

    Args:
        path: one picture or video.
        vision: the parts; its tracker and smoother are not used.

    Raises:
        CameraError: the file cannot be read.
    """
    tracks = Tracks() if is_video(path) else None
    for number, frame in enumerate(replay.read_all(path, color=True)):
        image = vision.stage.grey(frame.image)
        faces = vision.stage.detect(image)
        if tracks:
            ids = tracks.associate(faces, frame.captured_at_s)
            faces = [replace(f, track_id=i) for f, i in zip(faces, ids, strict=True)]
        classifications = vision.classifier.classify(vision.stage.examine(image, faces))
        result = describe(frame, number, classifications, has_time=tracks is not None)
        yield frame, result, classifications


def describe(
    frame: Frame, number: int, classifications: list[Classification], has_time: bool = False
) -> dict[str, Any]:
    """The documented JSON object of one frame; only a video's frames have a time."""
    return {
        "source": frame.source,
        "frame": number,
        **({"time_s": round(frame.captured_at_s, 3)} if has_time else {}),
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


def _long_work(files: list[Path]) -> bool:
    return sys.stderr.isatty() and (len(files) > 3 or any(map(is_video, files)))


def _report(problem: MienError | str) -> int:
    """The exit status that it asks for."""
    tqdm.write(f"mien: {problem}", file=sys.stderr)
    return CameraError.exit_status


def _keep_nothing(frame: Frame, classifications: list[Classification]) -> None:
    """Without ``--save``."""
