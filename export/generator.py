"""``export generator``: from a generator's run to ``generator.tflite`` and its card.

A gate: size, likeness to the float network and time are checked on faces of the validation
split; on failure nothing is written and the exit status is 1.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from device.errors import MienError
from device.vision.model_card import ModelCard
from device.vision.preprocess import CROP_PX
from device.vision.synthesizer import Synthesizer
from device.vocabulary import EXPRESSIONS, Expression
from export.card import LICENCE, drawn_face, write_pair
from training.data.fer2013 import Split, read_pictures
from training.gan.recipe import read_gan_recipe
from training.runs import read_settings, shorten

MODELS = Path("device/models")
MAX_BYTES = 1_500_000
MIN_PSNR_DB = 30.0
MAX_FACE_MS = 10.0
MAX_FLOW_OFF_PX = 0.1  # on average; the device repeats the movement at many times the size
PARITY_FACES = 200
LIMITS = [
    "Shows how an expression may look, not how this person shows it.",
    "Made for upright frontal faces; trained on grey web pictures of 48×48 px.",
    "Every result has to be marked as synthetic wherever it is shown or stored.",
]
Crop = npt.NDArray[np.uint8]  # (48, 48)
Crops = npt.NDArray[np.uint8]  # (N, 48, 48)
Flows = npt.NDArray[np.float32]  # (N, 48, 48, 2) px


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m export``."""
    parser = commands.add_parser("generator", help="a generator's run to what the device may run")
    parser.add_argument("run_path", type=Path, metavar="RUN", help="run directory of a generator")
    parser.add_argument("--models", type=Path, default=MODELS, help=f"target, default {MODELS}")
    parser.add_argument("--data", type=Path, help="fer2013.csv, default: the run's own")
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Converts, checks and writes both files, or neither."""
    from training.gan.faces import cut_by_landmarks  # TensorFlow takes seconds to load

    data = arguments.data or Path(read_settings(arguments.run_path)["data"]["path"])
    crops = cut_by_landmarks(read_pictures(data).split(Split.VALIDATION).pixels[:PARITY_FACES])
    network = load_network(arguments.run_path)
    expected = translate_by_keras(network, crops)
    failures = []
    for precision in ("dynamic-range int8", "float16"):
        content = convert(network, precision)
        facts = inspect(content, crops, expected)
        print(f"{precision}: " + ", ".join(f"{k} {v}" for k, v in facts.items()), flush=True)
        complaints = complaints_about(facts)
        if not complaints:
            card = make_card(arguments, content, {"weights": precision, **facts}, command)
            path = write_pair(arguments.models, content, card)
            Synthesizer.load(path)  # as the device will, its self-test included
            print(f"{path} and its card written", flush=True)
            return 0
        failures.append(f"{precision}: {', '.join(complaints)}")
    raise MienError(f"{arguments.run_path}: not fit for the device ({'; '.join(failures)})")


def load_network(run: Path) -> Any:
    """The run's mean generator in float32, uint8 in and out, scaling inside."""
    import keras
    from keras import ops

    from training.gan.generator import GeneratorSettings, with_flow
    from training.gan.translation import load_generator

    recipe = read_gan_recipe(run)
    generator = with_flow(load_generator(run, GeneratorSettings(recipe.width, recipe.blocks)))
    face = keras.Input((CROP_PX, CROP_PX, 1), batch_size=1, name="face", dtype="uint8")
    target = keras.Input((len(EXPRESSIONS),), batch_size=1, name="target", dtype="float32")
    made, flow = generator([ops.cast(face, "float32") / 127.5 - 1.0, target])
    pixels = ops.clip((made + 1.0) * 127.5, 0.0, 255.0) + 0.5  # casting cuts off
    return keras.Model([face, target], [ops.cast(pixels, "uint8"), flow], name="generator")


def convert(network: Any, precision: str) -> bytes:
    """The network as TFLite bytes."""
    import tensorflow as tf

    with TemporaryDirectory() as folder:
        # Converting a function directly leaves the weights behind as variables.
        network.export(folder, format="tf_saved_model", verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return bytes(converter.convert())


def translate_by_keras(network: Any, crops: Crops) -> tuple[Crops, Flows]:
    """Every crop with every target by the float network: (7 N, 48, 48), and flows (..., 2) px."""
    import keras

    from training.gan.sheets import as_pixels, as_signed

    targets = np.eye(len(EXPRESSIONS), dtype=np.float32)
    [inner] = [layer for layer in network.layers if isinstance(layer, keras.Model)]
    results, flows = [], []
    for target in targets:
        wanted = np.tile(target, (len(crops), 1))
        made, flow = inner([as_signed(crops[..., None]), wanted], training=False)
        flows.append(np.asarray(flow, np.float32))
        results.append(as_pixels(np.asarray(made)))
    pixels = np.stack(results, axis=1).reshape(-1, CROP_PX, CROP_PX)
    return pixels, np.stack(flows, axis=1).reshape(-1, CROP_PX, CROP_PX, 2)


def inspect(content: bytes, crops: Crops, expected: tuple[Crops, Flows]) -> dict[str, float]:
    """Size, likeness and time of the converted network through the device's own runtime."""
    synthesizer = Synthesizer(content, ModelCard("generator", "0", "synthesize", ""))
    made, flows, times_ms = [], [], []
    for crop in crops:
        for expression in EXPRESSIONS:
            start = time.thread_time()  # of one core, whatever else the machine does
            face, flow = synthesizer.run(crop, expression)
            times_ms.append((time.thread_time() - start) * 1e3)
            made.append(face)
            flows.append(flow)
    off_px = np.abs(np.stack(flows) - expected[1])
    return {
        "bytes": len(content),
        "psnr_db": round(psnr_db(np.stack(made), expected[0]), 2),
        "flow_off_px": round(float(off_px.mean()), 4),
        "flow_off_px_at_most": round(float(off_px.max()), 3),
        "ms_a_face": round(statistics.median(times_ms), 2),
        "n": len(made),
    }


def psnr_db(a: Crops, b: Crops) -> float:
    """Peak signal to noise ratio of all pixels together; 99 for equal pictures."""
    error = float(((a.astype(np.float64) - b) ** 2).mean())
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))


def complaints_about(facts: dict[str, float]) -> list[str]:
    """What keeps the network from the device; empty when nothing does."""
    complaints = []
    if facts["bytes"] > MAX_BYTES:
        complaints.append(f"{facts['bytes']:,} bytes, allowed {MAX_BYTES:,}")
    if not facts["psnr_db"] >= MIN_PSNR_DB:
        complaints.append(f"PSNR {facts['psnr_db']} dB, at least {MIN_PSNR_DB:g}")
    if not facts["flow_off_px"] <= MAX_FLOW_OFF_PX:
        complaints.append(f"flow off by {facts['flow_off_px']} px, allowed {MAX_FLOW_OFF_PX:g}")
    if facts["ms_a_face"] > MAX_FACE_MS:
        complaints.append(f"{facts['ms_a_face']} ms a face, allowed {MAX_FACE_MS:g}")
    return complaints


def golden_of(synthesizer: Synthesizer, face: Crop, expression: Expression) -> dict[str, str]:
    """What the network makes of a face, for the card's self-test."""
    made, flow = synthesizer.run(face, expression)
    arrays: dict[str, npt.NDArray[Any]] = {
        "input": face,
        "output": made,
        "flow": flow.astype(np.float16),
    }
    encoded = {name: base64.b64encode(a.tobytes()).decode() for name, a in arrays.items()}
    return {**encoded, "target": expression.value}


def make_card(
    arguments: argparse.Namespace, content: bytes, parity: dict[str, Any], command: str
) -> ModelCard:
    """The card, with a self-test on a drawn face and what the run's evaluations found."""
    bare = ModelCard("generator", "", "synthesize", "")
    synthesizer = Synthesizer(content, bare)
    face = drawn_face()
    golden = [golden_of(synthesizer, face, e) for e in (EXPRESSIONS[3], EXPRESSIONS[5])]
    settings = read_settings(arguments.run_path)
    recipe = settings["recipe"]
    recipe["start_from"] = Path(recipe["start_from"]).name  # as a reader elsewhere would call it
    evaluations = evaluations_of(arguments.run_path)
    facts = {
        "run": {"recipe": recipe, "git_revision": settings["git_revision"]},
        "exported_by": f"python -m export {shorten(command)}",
        "parity": parity,
        "metrics": evaluations,
        "data": "FER2013 (Goodfellow et al., 2013), training split: faces with clear FER+ votes, less "
        "those of fear that training/gan/hidden.txt names; the guide: all faces with votes, less these",
        "licence": LICENCE,
        "limits": LIMITS,
    }
    digest = hashlib.sha256(content).hexdigest()
    return ModelCard(
        name="generator",
        version=f"{time.strftime('%Y.%m.%d')}-{digest[:8]}",
        task="synthesize",
        sha256=digest,
        golden=golden,
        facts=facts,
    )


def evaluations_of(run: Path) -> dict[str, Any]:
    """What ``evaluate-gan`` found, by file, of the generator as it is now and not of an earlier step."""
    from training.gan.translation import steps_done

    steps = read_gan_recipe(run).steps_before + steps_done(run)
    found = {}
    for path in sorted(run.glob("evaluation-*.json")):
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts["steps"] == steps:
            found[path.stem] = facts
        else:
            print(f"{path}: left out, it is of step {facts['steps']}, the run is at {steps}")
    return found
