"""The loop around ``fit`` that StarGAN and its baselines share: checkpoints, sheets, resume."""

from __future__ import annotations

import csv
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import keras

from device.errors import UsageError
from training.files import reason, whole
from training.gan.faces import BalancedFaces, Faces, Pixels, RandomFaces, VotedFaces
from training.gan.generator import settings_of
from training.gan.guide import Guidance, GuideTraining, build_guide, rarity_of
from training.gan.recipe import PLAIN, RARE_MARGIN, GanRecipe
from training.gan.sheets import plot_losses, sample_sheet, write_picture
from training.gan.translation import Translation
from training.gan.warm_start import is_pair, take_over
from training.precision import usable_precision

SAVE_EVERY_S = 300.0  # between two sheets, too
GUIDE = "guide.weights.h5"  # in a run


class Interruption(keras.callbacks.Callback):
    """Ends ``fit`` after the current step on SIGINT or SIGTERM, and saves now and then."""

    def __init__(self, save: Callable[[], None]) -> None:
        super().__init__()
        self.asked = False
        self.save, self.saved_at_s = save, time.monotonic()

    def __enter__(self) -> Interruption:
        """Listens."""
        self.before = {s: signal.signal(s, self._ask) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *error: object) -> None:
        """Gives the signals back."""
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: object) -> None:
        self.asked = True

    def on_train_batch_end(self, batch, logs=None):
        """Called by Keras."""
        if self.asked:
            self.model.stop_training = True
        if time.monotonic() - self.saved_at_s >= SAVE_EVERY_S:
            self.save()
            self.saved_at_s = time.monotonic()


def fit(
    model: Translation,
    faces: Faces,
    samples: Pixels,
    recipe: GanRecipe,
    run: Path,
) -> bool:
    """Trains from the run's checkpoint (or the beginning) to the recipe's last step.

    Args:
        model: compiled.
        faces: to learn from.
        samples: faces of the sample sheet.
        recipe: how long, and how many steps between two sheets.
        run: where checkpoint, sheets, history and plots go.

    Returns:
        True when all steps are done, False when a signal ended it early.
    """
    checkpoint = run / "state.npz"
    if checkpoint.exists():
        model.load_checkpoint(checkpoint)
    elif recipe.start_from:
        take_over(model, recipe)
    with Interruption(lambda: model.save_checkpoint(checkpoint)) as interruption:
        while (done := int(model.num_done)) < recipe.steps and not interruption.asked:
            end = min((done // recipe.round_steps + 1) * recipe.round_steps, recipe.steps)
            batches = BalancedFaces(faces, recipe.batch_size, done, end - done, recipe.seed)
            started_s = time.monotonic()
            print(f"steps {done} to {end} of {recipe.steps}", flush=True)
            fitted = model.fit(
                batches, shuffle=False, verbose=verbosity(), callbacks=[interruption]
            )
            model.save_checkpoint(checkpoint)
            took_s = time.monotonic() - started_s
            _note(run / "losses.csv", int(model.num_done), took_s, fitted.history)
            if not interruption.asked:
                write_picture(
                    run / "sheets" / f"step-{end:06d}.png",
                    sample_sheet(model.mean_generator, samples),
                )
                plot_losses(run / "losses.csv", run / "losses.png")
    return not interruption.asked


def _note(path: Path, step: int, took_s: float, history: dict[str, list[float]]) -> None:
    """Appends the mean losses since the last checkpoint."""
    row: dict[str, object] = {"step": step, "seconds": round(took_s, 1)}
    row |= {name: f"{values[-1]:.5g}" for name, values in sorted(history.items())}
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


def build(recipe: GanRecipe, voted: VotedFaces, run: Path) -> Translation:
    """The compiled network of a recipe; StarGAN's with its guide, trained first if need be."""
    from training.gan.cgan import Cgan
    from training.gan.plain_stargan import PlainStarGan
    from training.gan.stargan import StarGan
    from training.gan.wgan import Wgan

    options = {
        "num_steps": recipe.steps,
        "learning_rate": recipe.learning_rate,
        "critic_rate": recipe.critic_rate,
        "seed": recipe.seed,
        "size": settings_of(recipe),
        "dtype": usable_precision(recipe.precision),
    }
    keras.utils.set_random_seed(recipe.seed)
    model: Translation
    guide = None
    if recipe.needs_guide:
        path, start = run / GUIDE, Path(recipe.start_from)
        if recipe.start_from and not is_pair(start) and not path.exists():
            copy_guide(start, path)
        guide = train_guide(voted, recipe, path)
    if recipe.kind == "stargan":
        model = StarGan(guide, rarity_of(voted), recipe.losses, **options)
    else:
        if guide is not None:
            margins = RARE_MARGIN * rarity_of(voted)
            options["guidance"] = Guidance(guide, margins, recipe.losses.lambda_guide)
        model = {"cgan": Cgan, "wgan": Wgan, PLAIN: PlainStarGan}[recipe.kind](
            recipe.losses, **options
        )
    model.compile(jit_compile=False)  # XLA's convolutions on CPUs are several times slower
    return model


def copy_guide(start: Path, path: Path) -> None:
    """The guide of the run that is begun from: the same opinions go on.

    Raises:
        UsageError: that run has none yet.
    """
    try:
        content = (start / path.name).read_bytes()
    except OSError as error:
        raise UsageError(f"{start}: no guide to begin with: {error.strerror}") from error
    with whole(path) as part:
        part.write_bytes(content)


def train_guide(faces: VotedFaces, recipe: GanRecipe, path: Path) -> keras.Model:
    """The frozen guide: read from ``path``, or trained and written there.

    Raises:
        UsageError: the file is damaged, or of another guide.
        KeyboardInterrupt: a signal ended its training, which begins anew the next time.
    """
    guide = build_guide(usable_precision(recipe.precision))
    if path.exists():
        try:
            guide.load_weights(path)
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(f"{path}: not the guide of such a run ({reason(error)})") from error
        return guide
    training = GuideTraining(guide, recipe.seed)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, max(recipe.guide_steps, 1))
    training.compile(keras.optimizers.Adam(rate), jit_compile=False)
    print(f"guide: {recipe.guide_steps} steps", flush=True)
    batches = RandomFaces(faces, 2 * recipe.batch_size, recipe.guide_steps, recipe.seed + 1)
    with Interruption(lambda: None) as interruption:
        training.fit(batches, shuffle=False, verbose=verbosity(), callbacks=[interruption])
    if interruption.asked:
        raise KeyboardInterrupt
    with whole(path) as part:
        guide.save_weights(part)
    return guide


def verbosity() -> int:
    """A progress bar for people, a line a checkpoint for files."""
    return 1 if sys.stdout.isatty() else 2
