import csv
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.errors import UsageError
from tests.training.drawn import draw
from training.gan import fitting
from training.gan.faces import Faces, VotedFaces
from training.gan.generator import GeneratorSettings
from training.gan.recipe import LOSSES, GanRecipe
from training.gan.translation import Translation, load_generator, steps_done

Build = Callable[[str, Faces, Path], Translation]
TINY = GanRecipe(
    steps=4, round_steps=2, batch_size=7, guide_steps=1, precision="float32", width=12, blocks=1
)  # fmt: skip


@pytest.fixture(scope="module")
def faces() -> Faces:
    random = np.random.default_rng(8)
    expressions = np.tile(np.arange(7), 3).astype(np.int32)
    return Faces(np.stack([draw(k, random)[..., None] for k in expressions]), expressions)


def voted(faces: Faces) -> VotedFaces:
    return VotedFaces(faces.pixels, np.eye(7, dtype=np.float32)[faces.expressions])


def untrained(kind: str, faces: Faces, run: Path) -> Translation:
    return fitting.build(replace(TINY, kind=kind, losses=LOSSES[kind]()), voted(faces), run)


@pytest.fixture(scope="module")
def tiny(guide: Path) -> Build:
    """Builds what trains step by step, with the guide that all tests share."""

    def build(kind: str, faces: Faces, run: Path) -> Translation:
        if kind == "stargan" and not (run / guide.name).exists():
            shutil.copy(guide, run)
        model = untrained(kind, faces, run)
        model.compile(run_eagerly=True)  # tracing takes longer than four steps
        return model

    return build


@dataclass
class Fitted:
    """A training from beginning to end; ``rates`` are both players' before each step."""

    model: Translation
    run: Path
    before: list[np.ndarray]
    judged: list[np.ndarray]
    ended: bool = False
    rates: list[tuple[float, float]] = field(default_factory=list)


@pytest.fixture(scope="module")
def fitted(
    tiny: Build, faces: Faces, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Fitted]:
    """Trains a kind once for all tests; ``state-2.npz`` is its checkpoint after two steps."""

    @cache
    def fit(kind: str) -> Fitted:
        run = tmp_path_factory.mktemp(kind)
        model = tiny(kind, faces, run)
        step, save = model.train_step, model.save_checkpoint
        players = model.generator.get_weights(), model.discriminator.get_weights()
        whole = Fitted(model, run, *([w.copy() for w in weights] for weights in players))

        def noted(data: object) -> object:
            optimizers = model.generator_optimizer, model.discriminator_optimizer
            own, critics = (float(optimizer.learning_rate) for optimizer in optimizers)
            whole.rates.append((own, critics / TINY.critic_rate))
            return step(data)

        def kept(path: Path) -> None:
            save(path)
            shutil.copy(path, run / f"state-{int(model.num_done)}.npz")

        model.train_step, model.save_checkpoint = noted, kept
        whole.ended = fitting.fit(model, faces, faces.pixels[:2], TINY, run)
        model.train_step, model.save_checkpoint = step, save
        return whole

    return fit


@pytest.mark.parametrize("kind", LOSSES)
def test_each_kind_learns_and_leaves_checkpoint_losses_and_sheets(
    fitted: Callable[[str], Fitted], kind: str
) -> None:
    whole = fitted(kind)
    model, run = whole.model, whole.run
    assert whole.ended
    moved = zip(whole.before, model.generator.get_weights(), strict=True)
    assert max(np.abs(a - b).max() for a, b in moved) > 1e-5
    moved = zip(whole.judged, model.discriminator.get_weights(), strict=True)
    assert max(np.abs(a - b).max() for a, b in moved) > 1e-5
    with (run / "losses.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2", "4"]
    assert set(model.loss_names) <= set(rows[0])
    assert all(np.isfinite(float(row[name])) for row in rows for name in model.loss_names)
    sheet = cv2.imread(str(run / "sheets" / "step-000004.png"))
    assert sheet.shape[:2] == (18 + 2 * 48 * 2, 8 * 48 * 2)
    assert (run / "losses.png").stat().st_size > 1000


@pytest.mark.parametrize("kind", ["cgan", "stargan"])
def test_a_resumed_training_ends_where_an_uninterrupted_one_does(
    fitted: Callable[[str], Fitted], tiny: Build, kind: str, faces: Faces, tmp_path: Path
) -> None:
    whole = fitted(kind)
    shutil.copy(whole.run / "state-2.npz", tmp_path / "state.npz")
    second = tiny(kind, faces, tmp_path)
    fitting.fit(second, faces, faces.pixels[:1], TINY, tmp_path)
    assert int(second.num_done) == TINY.steps
    # A step of Adam moves a weight by about the learning rate, 2e-4: lost moments or other
    # batches would show a hundred times more than this.
    for name in ("generator", "mean_generator", "discriminator"):
        ours, theirs = getattr(second, name).get_weights(), getattr(whole.model, name).get_weights()
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, atol=2e-6)


def test_a_signal_ends_the_training_after_the_step_and_saves(
    tiny: Build, faces: Faces, tmp_path: Path
) -> None:
    model = tiny("cgan", faces, tmp_path)
    step = model.train_step

    def interrupted(data: object) -> object:
        os.kill(os.getpid(), signal.SIGTERM)
        return step(data)

    model.train_step = interrupted
    before = signal.getsignal(signal.SIGTERM)
    assert not fitting.fit(model, faces, faces.pixels[:1], TINY, tmp_path)
    assert signal.getsignal(signal.SIGTERM) is before
    resumed = tiny("cgan", faces, tmp_path)
    resumed.load_checkpoint(tmp_path / "state.npz")
    assert int(resumed.num_done) == 1


def test_a_training_can_begin_with_what_another_has_learnt(
    fitted: Callable[[str], Fitted], faces: Faces, tmp_path: Path
) -> None:
    none, run = tmp_path / "none", tmp_path / "run"
    none.mkdir()
    run.mkdir()
    with pytest.raises(UsageError, match="no guide to begin with"):
        fitting.build(replace(TINY, start_from=str(none)), voted(faces), run)
    whole = fitted("stargan")
    start, first = whole.run, whole.model
    recipe = replace(TINY, start_from=str(start))
    second = fitting.build(recipe, voted(faces), run)
    assert (run / "guide.weights.h5").read_bytes() == (start / "guide.weights.h5").read_bytes()
    second.compile(run_eagerly=True)
    assert fitting.fit(second, faces, faces.pixels[:1], replace(recipe, steps=0), run)
    assert int(second.num_done) == 0  # its own steps
    for name in ("generator", "mean_generator", "discriminator"):
        ours, theirs = getattr(second, name).get_weights(), getattr(first, name).get_weights()
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)
    assert fitting.fit(second, faces, faces.pixels[:1], replace(recipe, steps=1), run)
    moved = zip(first.generator.get_weights(), second.generator.get_weights(), strict=True)
    assert max(np.abs(a - b).max() for a, b in moved) > 1e-5


def test_the_checkpoint_gives_the_mean_generator(fitted: Callable[[str], Fitted]) -> None:
    whole = fitted("cgan")
    loaded = load_generator(whole.run, GeneratorSettings(12, 1))
    for a, b in zip(loaded.get_weights(), whole.model.mean_generator.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", LOSSES)
def test_both_players_slow_down_at_the_same_step(
    fitted: Callable[[str], Fitted], kind: str
) -> None:
    rates = fitted(kind).rates
    full = TINY.learning_rate
    assert [pytest.approx(rate) for rate, _ in rates] == [full, full, full, full * 0.525]
    assert [pytest.approx(rate) for _, rate in rates] == [rate for rate, _ in rates]


def test_a_checkpoint_of_another_size_is_refused(
    fitted: Callable[[str], Fitted], faces: Faces, tmp_path: Path
) -> None:
    other = fitting.build(
        replace(TINY, kind="cgan", losses=LOSSES["cgan"](), width=24), voted(faces), tmp_path
    )
    with pytest.raises(UsageError, match="does not fit"):
        other.load_checkpoint(fitted("cgan").run / "state.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"no archive"])
def test_a_damaged_checkpoint_is_said(
    fitted: Callable[[str], Fitted], content: bytes, tmp_path: Path
) -> None:
    model = fitted("cgan").model
    (tmp_path / "state.npz").write_bytes(content)
    for read in (
        lambda: model.load_checkpoint(tmp_path / "state.npz"),
        lambda: load_generator(tmp_path, GeneratorSettings(12, 1)),
        lambda: steps_done(tmp_path),
    ):
        with pytest.raises(UsageError, match=r"state\.npz: no checkpoint of a generator's run"):
            read()


def test_a_damaged_guide_is_said(tiny: Build, faces: Faces, tmp_path: Path) -> None:
    (tmp_path / "guide.weights.h5").write_bytes(b"half written")
    with pytest.raises(UsageError, match="not the guide of such a run"):
        tiny("stargan", faces, tmp_path)


def test_a_signal_ends_the_guide_s_training_without_a_guide(
    faces: Faces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        fitting.GuideTraining, "fit", lambda *a, **k: os.kill(os.getpid(), signal.SIGTERM)
    )
    with pytest.raises(KeyboardInterrupt):
        untrained("stargan", faces, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["stargan-plain", "cgan", "wgan"])
def test_a_guide_can_help_any_kind(
    fitted: Callable[[str], Fitted], kind: str, guide: Path, faces: Faces, tmp_path: Path
) -> None:
    shutil.copy(guide, tmp_path)
    assert LOSSES[kind]().lambda_guide == 0
    recipe = replace(TINY, kind=kind, losses=LOSSES[kind](lambda_guide=4.0))
    pairs = {0.0: fitted(kind).model, 4.0: fitting.build(recipe, voted(faces), tmp_path)}
    for weight, model in pairs.items():
        loss = float(model.guided(np.zeros((2, 48, 48, 1), np.float32), np.array([0, 1])))
        assert (loss > 0) == (weight > 0)
    frozen = [w.copy() for w in pairs[4.0].guidance.guide.get_weights()]
    pairs[4.0].train_step((faces.pixels, faces.expressions, faces.expressions))
    for before, after in zip(frozen, pairs[4.0].guidance.guide.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
