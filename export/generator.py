"""``export generator``: from a generator's run to ``generator.tflite`` and its card.

Instead of a run it takes a pair whose run is not at hand, and converts its weights anew: so a file
gets what a later conversion does better. The weights are float16. As int8 they would be half the
size, but tflite-runtime 2.14 runs no transposed convolution with int8 weights, and LiteRT needs
twice the time for it.
"""

from __future__ import annotations

import argparse
import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device.vision.model_card import ModelCard
from device.vision.preprocess import CROP_PX
from device.vision.synthesizer import Synthesizer
from device.vocabulary import EXPRESSIONS, Expression
from export.card import drawn_face, make_card
from export.convert import Precision, convert
from export.door import MODELS, Candidate, add_options, deliver
from export.gate import old_runtime_limit, size_limit, time_limit, time_of_face_ms
from export.likeness import Crops, likeness, translate_by_keras, translate_by_tflite
from export.opinion import comparison_before
from export.pair import require_writable
from training.classifier.read_recipe import learnt_validation
from training.classifier.trained import load_pair
from training.data.cleaning import lend_validation
from training.data.fer2013 import Pictures, Split, read_pictures
from training.data.splits import require_split
from training.files import read_numbers
from training.gan.recipe import read_gan_recipe
from training.runs import read_settings, trained_on

DATA = Path("data/fer2013.csv")
PRECISION: Precision = "float16"
MAX_BYTES = 1_500_000
MAX_FACE_MS = 10.0
NUM_FACES = 200
LIMITS = [
    "Shows how an expression may look, not how this person shows it.",
    "Made for upright frontal faces; trained on grey web pictures of 48×48 px.",
    "Every result has to be marked as synthetic wherever it is shown or stored.",
]
TRAINED_ON = (
    "FER2013 (Goodfellow et al., 2013), training split: faces with clear FER+ votes, less those of "
    "fear that training/gan/hidden.txt names; the guide: all faces with votes, less these"
)


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m export``."""
    parser = commands.add_parser("generator", help="a generator's run to what the device may run")
    parser.add_argument(
        "run_path", type=Path, metavar="RUN", help="run directory, or a pair NAME.tflite to convert anew"
    )  # fmt: skip
    parser.add_argument("--data", type=Path, help=f"fer2013.csv, default: the run's own, or {DATA}")
    parser.add_argument(
        "--judge", type=Path, default=MODELS / "expression.tflite", metavar="PAIR.tflite",
        help="classifier that the new file and the one in place are compared by",
    )  # fmt: skip
    add_options(parser)
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Converts, checks and writes both files, or neither."""
    require_writable(arguments.models)
    path = arguments.run_path
    judge = load_pair(arguments.judge, "judge")
    source = from_pair(path) if path.suffix == ".tflite" else from_run(path)
    crops = faces_to_compare(arguments.data or source.data, arguments.judge)
    print(f"{path}: converting as {PRECISION}", flush=True)
    content = convert(source.model, PRECISION)
    expected = translate_by_keras(source.model, crops)
    parity = likeness(translate_by_tflite(content, crops), expected)
    taken_ms = face_ms(content)
    print(f"{PRECISION}: {parity}, {taken_ms:.2f} ms a face", flush=True)
    limits = [*parity.limits(), size_limit(content, MAX_BYTES),
              time_limit(taken_ms, MAX_FACE_MS), old_runtime_limit(content)]  # fmt: skip
    facts: dict[str, Any] = {
        **source.facts,
        "parity": {"weights": PRECISION, "bytes": len(content), **parity.as_facts(),
                   "ms_a_face": round(taken_ms, 2)},
        "limits": LIMITS,
    }  # fmt: skip
    if source.content:
        before = likeness(translate_by_tflite(source.content, crops), expected)
        limits += before.limits(f"the model rebuilt from {path.name} answers otherwise: ")
        facts["rebuilt"]["parity"] = before.as_facts()
    card = make_card("generator", "synthesize", content, command, facts, golden_of(content))
    Synthesizer(content, card)  # as the device will, its self-test included
    compare = comparison_before(judge, content, crops)
    measured_on = f"{len(crops)} validation faces and {len(EXPRESSIONS)} targets"
    deliver(Candidate(content, card, limits, measured_on, compare),
            arguments.models, arguments.force)  # fmt: skip
    return 0


@dataclass(frozen=True)
class Source:
    """What is exported.

    Attributes:
        model: in float32, as the device will see it.
        facts: what the card says of its training.
        data: FER2013 where the run or the user has it.
        content: of the file that it was rebuilt from, b"" for a run.
    """

    model: Any
    facts: dict[str, Any]
    data: Path
    content: bytes = b""


def from_run(run: Path) -> Source:
    """The generator of a run.

    Raises:
        UsageError: no generator's run, or it has no checkpoint yet.
    """
    from training.gan.generator import settings_of  # TensorFlow takes seconds to load
    from training.gan.translation import load_generator

    recipe, settings = read_gan_recipe(run), read_settings(run)
    generator = load_generator(run, settings_of(recipe))
    noted = settings["recipe"]
    noted["start_from"] = Path(noted["start_from"]).name  # as a reader elsewhere would call it
    facts = {
        "run": {"recipe": noted, "git_revision": settings["git_revision"]},
        "metrics": evaluations_of(run),
        "data": TRAINED_ON,
    }
    return Source(for_device(generator), facts, trained_on(run)[0])


def from_pair(path: Path) -> Source:
    """The generator of a pair whose run is not at hand.

    Raises:
        UsageError: no such pair, or no generator of ours.
    """
    from training.gan.generator import GeneratorSettings, two_sided
    from training.gan.rebuild import read_generator, rebuild_generator

    content, card = read_generator(path)
    recipe = card.facts["run"]["recipe"]
    settings = GeneratorSettings(recipe["width"], recipe["blocks"])
    model = for_device(two_sided(rebuild_generator(content, settings, str(path))))
    facts = {k: v for k, v in card.facts.items() if k in ("run", "metrics", "data")}
    facts["rebuilt"] = {"from": card.version}
    return Source(model, facts, DATA, content)


def for_device(generator: Any) -> Any:
    """A generator in float32 with uint8 faces in and out, its scaling inside."""
    import keras
    from keras import ops

    from training.gan.generator import with_flow

    face = keras.Input((CROP_PX, CROP_PX, 1), batch_size=1, name="face", dtype="uint8")
    target = keras.Input((len(EXPRESSIONS),), batch_size=1, name="target", dtype="float32")
    made, flow = with_flow(generator)([ops.cast(face, "float32") / 127.5 - 1.0, target])
    pixels = ops.clip((made + 1.0) * 127.5, 0.0, 255.0) + 0.5  # casting cuts off
    return keras.Model([face, target], [ops.cast(pixels, "uint8"), flow], name="generator")


def faces_to_compare(data: Path, judge: Path) -> Crops:
    """Faces (N, 48, 48) of validation, cut as the device does, that the judge has not learnt."""
    from training.gan.faces import cut_by_landmarks

    pictures: Pictures = lend_validation(read_pictures(data), learnt_validation(judge))
    return cut_by_landmarks(require_split(pictures, Split.VALIDATION, data).pixels[:NUM_FACES])


def face_ms(content: bytes) -> float:
    """Time of one face on one core."""
    synthesizer, face = bare(content), drawn_face()
    return time_of_face_ms(lambda: synthesizer.run(face, EXPRESSIONS[3]))


def bare(content: bytes) -> Synthesizer:
    """The file as the device runs it, before it has a card."""
    return Synthesizer(content, ModelCard("generator", "", "synthesize", ""))


def golden_of(content: bytes) -> list[dict[str, str]]:
    """What the file makes of a drawn face, for the device's self-test."""
    synthesizer, face, golden = bare(content), drawn_face(), []
    for expression in (Expression.HAPPY, Expression.SURPRISE):
        made, flow = synthesizer.run(face, expression)
        arrays: dict[str, npt.NDArray[Any]] = {
            "input": face,
            "output": made,
            "flow": flow.astype(np.float16),
        }
        encoded = {n: base64.b64encode(a.tobytes()).decode() for n, a in arrays.items()}
        golden.append({**encoded, "target": expression.value})
    return golden


def evaluations_of(run: Path) -> dict[str, Any]:
    """What ``evaluate-gan`` found, by file, of the generator as it is now and not of an earlier step."""
    from training.gan.translation import steps_done

    steps = read_gan_recipe(run).steps_before + steps_done(run)
    found = {}
    for path in sorted(run.glob("evaluation-*.json")):
        facts = read_numbers(path, "steps")
        if facts["steps"] == steps:
            found[path.stem] = facts
        else:
            print(f"{path}: left out, it is of step {facts['steps']}, the run is at {steps}")
    return found
