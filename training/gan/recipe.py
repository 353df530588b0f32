"""What decides how a generator comes out, besides the data; written to and read from its run."""

from __future__ import annotations

import dataclasses
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from device.errors import UsageError
from training.runs import read_settings, write_settings


@dataclass(frozen=True)
class StarGanLosses:
    """Weights of StarGAN's losses.

    Attributes:
        lambda_adversarial: the discriminator's opinion on whether patches (and the mouth) are real,
            both players'. Most patches of a fake are the input's, so the few that count are a small
            part of it.
        lambda_domain: the discriminator's opinion on which expression a face shows. Little: it
            learns 300 faces of fear by heart.
        lambda_guide: the frozen guide's opinion.
        rare_margin: by how much a fake must convince the guide, per logarithm of its rarity.
        lambda_reconstruction: L1 between a face and its way there and back.
        lambda_similarity: what that way lacks of an SSIM of 1.
        lambda_mask: mean of the attention mask; what can be moved shall not be painted.
        lambda_roughness: how differently neighbouring pixels move.
        lambda_penalty: R1, squared gradient on real faces; 1 leaves the discriminator no opinion.
        penalty_interval: steps from one penalty to the next (its weight grows in proportion).
    """

    lambda_adversarial: float = 8.0
    lambda_domain: float = 0.25
    lambda_guide: float = 4.5
    rare_margin: float = 3.5
    lambda_reconstruction: float = 5.0
    lambda_similarity: float = 2.0
    lambda_mask: float = 7.0
    lambda_roughness: float = 0.3
    lambda_penalty: float = 0.08
    penalty_interval: int = 8


@dataclass(frozen=True)
class CganLosses:
    """``lambda_guide``: the frozen guide's opinion, 0 for none. ``lambda_penalty``: R1 on real faces, every ``penalty_interval`` steps.

    About as strong as StarGAN's, where what is penalised weighs eight times as much.
    """

    lambda_guide: float = 0.0
    lambda_penalty: float = 0.013
    penalty_interval: int = 8


@dataclass(frozen=True)
class WganLosses:
    """``lambda_penalty``: of the gradient's distance from 1; ``critic_steps`` a generator step.

    ``lambda_guide``: the frozen guide's opinion, 0 for none.
    """

    lambda_guide: float = 0.0
    lambda_penalty: float = 10.0
    critic_steps: int = 2


@dataclass(frozen=True)
class PlainStarGanLosses:
    """Weights of the three losses that the paper names, as Choi et al. have them.

    ``lambda_guide``: the frozen guide's opinion, which the paper has not. ``lambda_penalty``: R1 on
    real faces, every ``penalty_interval`` steps, instead of WGAN-GP.
    """

    lambda_guide: float = 0.0
    lambda_adversarial: float = 1.0
    lambda_domain: float = 1.0
    lambda_reconstruction: float = 10.0
    lambda_penalty: float = 0.01
    penalty_interval: int = 8


RARE_MARGIN = 3.5  # as StarGAN's, where a guide helps another kind
PLAIN = "stargan-plain"
LOSSES = {
    "stargan": StarGanLosses,
    PLAIN: PlainStarGanLosses,
    "cgan": CganLosses,
    "wgan": WganLosses,
}


@dataclass(frozen=True)
class GanRecipe:
    """Everything else; the same for StarGAN and its baselines.

    Attributes:
        kind: ``stargan``, ``stargan-plain``, ``cgan`` or ``wgan``.
        steps: generator steps of the whole training.
        round_steps: steps between two sample sheets.
        batch_size: faces a step.
        guide_steps: steps of the guide's own training before, with batches twice as large.
        learning_rate: of the generator until half of the steps are done, then falling to a
            twentieth.
        critic_rate: the critic's learning rate in generator's ones; without normalisation it
            learns slowly, and a critic that sees nothing lets the generator scribble.
        seed: of everything random.
        precision: ``mixed_bfloat16`` takes two thirds of the time where the processor has it.
        width: generator channels at 12×12.
        blocks: its residual blocks.
        start_from: run whose players (and guide) the training begins with, or a pair, which has
            the generator alone; "" for random ones.
        steps_before: their steps, and those of the run that they began with themselves.
        losses: one of ``LOSSES``.
    """

    kind: str = "stargan"
    steps: int = 6000
    round_steps: int = 250
    batch_size: int = 32
    guide_steps: int = 4500
    learning_rate: float = 4e-4
    critic_rate: float = 2.5
    seed: int = 1
    precision: str = "mixed_bfloat16"
    width: int = 64
    blocks: int = 5
    start_from: str = ""
    steps_before: int = 0
    losses: Any = field(default_factory=StarGanLosses)

    @property
    def needs_guide(self) -> bool:
        """StarGAN is built with one; the others only where its opinion counts."""
        return self.kind == "stargan" or self.losses.lambda_guide > 0


def name_of(recipe: GanRecipe) -> str:
    """What the tables call a generator: its kind, and whether it had a guide where kinds differ."""
    usually = LOSSES[recipe.kind]().lambda_guide > 0
    guided = recipe.losses.lambda_guide > 0
    return recipe.kind if guided == usually else f"{recipe.kind}, {'' if guided else 'un'}guided"


def write_recipe(run: Path, recipe: GanRecipe, data: dict[str, Any], command: str) -> None:
    """Notes what is being trained, on what, by which versions."""
    write_settings(run, asdict(recipe), data, command)


def read_gan_recipe(run: Path) -> GanRecipe:
    """The recipe of a generator's run.

    Raises:
        UsageError: no run, a classifier's, or one with other settings than there are now: what it
            lacks must not become today's.
    """
    fields = dict(read_settings(run)["recipe"])
    if fields.get("kind") not in LOSSES:
        raise UsageError(f"{run}: not a generator's run ({', '.join(LOSSES)})")
    losses = LOSSES[fields["kind"]]
    known = {f.name for f in dataclasses.fields(GanRecipe)}
    known |= {f"losses.{f.name}" for f in dataclasses.fields(losses)}
    noted = fields.get("losses")
    found = {*fields, *(f"losses.{name}" for name in (noted if isinstance(noted, dict) else {}))}
    if known != found:
        odd = ", ".join(sorted(known ^ found))
        raise UsageError(f"{run}: settings of another version of this program ({odd})")
    return GanRecipe(**{**fields, "losses": losses(**fields["losses"])})
