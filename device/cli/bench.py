"""``mien bench``: replays a fixed source through the whole path as fast as it can.

What is timed is what the daemon does with a frame: grey, detect or track, crop, classify,
smooth, publish to a broker, hand over to the screen. Reading or rendering the source is not.
Frames carry the time stamps of the source's own pace, so detection happens as often as live.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
from tqdm import tqdm

from device.camera import demo, replay
from device.camera.replay import list_sources
from device.cli.arguments import given_path, whole_number
from device.daemon.board import resident_mb
from device.daemon.build import build_offline_parts
from device.daemon.metrics import Metrics
from device.errors import ConfigurationError, UsageError
from device.pipeline import Parts, finish_frame, process
from device.settings import Settings, load_settings, replace_setting
from device.vocabulary import Frame

RATE_HZ = 15.0  # of pictures and the demo; a video has its own
MAX_FRAMES = 1_000_000  # the time of each is kept in memory
WARM_UP_RUNS = 10  # of the first frame: caches, lazy allocations, the processor's pace


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--source", type=given_path, metavar="PATH", help="picture, folder or video"
    )
    parser.add_argument(
        "--frames",
        type=whole_number(1, MAX_FRAMES),
        default=450,
        metavar="N",
        help="at most this many (450)",
    )
    parser.add_argument(
        "--threads", type=int, metavar="N", help="threads of model and OpenCV (settings: 1)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def main(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Prints stage times, frames a second and memory."""
    settings = load_settings(args.config, environment)
    if args.threads is not None:
        try:
            settings = replace_setting(settings, "classifier.threads", args.threads, "--threads")
        except ConfigurationError as error:
            raise UsageError(str(error)) from error
    cv2.setNumThreads(settings.classifier.threads)
    result = bench(settings, args.source, args.frames)
    print(json.dumps(result) if args.json else _for_people(result))
    return 0


def bench(settings: Settings, source: Path | None, num_frames: int) -> dict[str, Any]:
    """Runs the frames and returns ``{"frames", "ms_per_frame", "fps", "rss_mb", "stages"}``.

    Raises:
        CameraError: the source cannot be read, or holds no frame.
    """
    with build_offline_parts(settings) as parts:
        frames = _frames(settings, source)
        first = next(frames)  # a source without any raises
        for _ in range(WARM_UP_RUNS):
            _run(parts, first)
        metrics = parts.metrics = Metrics(window=num_frames)
        took_s, cpu_s, count = 0.0, 0.0, 0
        limited = itertools.islice(itertools.chain([first], frames), num_frames)
        hidden = not sys.stderr.isatty()
        for frame in tqdm(limited, total=num_frames, unit="frame", disable=hidden):
            start_s, cpu_start_s = time.perf_counter(), time.thread_time()
            _run(parts, frame)
            took_s += time.perf_counter() - start_s
            cpu_s += time.thread_time() - cpu_start_s
            count += 1
        rss_mb = resident_mb() or 0.0
    return {
        "frames": count,
        "ms_per_frame": round(took_s / count * 1e3, 3),
        "fps": round(count / took_s, 1),
        "cpu_ms_per_frame": round(cpu_s / count * 1e3, 3),
        "rss_mb": rss_mb,
        "stages": metrics.stage_times_ms(),
    }


def _run(parts: Parts, frame: Frame) -> None:
    with parts.metrics.timed("frame"):
        scene = process(parts, frame)
        finish_frame(parts, scene, frame)


def _frames(settings: Settings, source: Path | None) -> Iterator[Frame]:
    """All frames of the source, at its own pace in time stamps; the demo's never end."""
    if source is None:
        yield from demo.frames(settings.camera.width, settings.camera.height, RATE_HZ)
        return
    start_s = 0.0
    for path in list_sources(source).files:
        for frame in replay.read_all(path, rate_hz=RATE_HZ, start_s=start_s):
            yield frame
            start_s = frame.captured_at_s + 1 / RATE_HZ


def _for_people(result: dict[str, Any]) -> str:
    lines = [
        f"{result['frames']} frames, {result['ms_per_frame']} ms a frame, {result['fps']} frames/s, "
        f"{result['cpu_ms_per_frame']} ms of the processor, {result['rss_mb']} MB resident"
    ]
    for name, times in result["stages"].items():
        lines.append(f"  {name:<14} p50 {times['p50_ms']:8.3f} ms   p95 {times['p95_ms']:8.3f} ms")
    return "\n".join(lines)
