"""Paired training: a generator learns the target of each input, optionally with a conditional discriminator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from typer import Option

from engines.discriminators.patch_gan import PatchGan
from engines.errors import OptionsError
from engines.generators.registry import generator_spec
from engines.styles import OUTPUTS
from engines.training.config import TrainConfig
from engines.training.data.paired_batches import PairedBatch, PairedBatches
from engines.training.data.paired_dataset import PairedDataset, Pictures, split
from engines.training.data.picture_pairs import ImageU8
from engines.training.generator import as_pictures, build_generator, check_size
from engines.training.losses.adversarial import (
    GAN_KINDS,
    Objective,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    held,
    spectrally_normed,
)  # fmt: skip
from engines.training.losses.perceptual import VggFeatures, perceptual
from engines.training.losses.pixel import gradient, l1, temporal
from engines.training.method import TrainingMethod, Validation, register
from engines.training.metrics.psnr import mean_psnr_db
from engines.training.optimisers.build import OPTIMISERS, build_optimiser

LOSSES = ("l1", "gradient", "perceptual", "adversarial", "temporal")
_PENALTY_WEIGHT = 10.0  # Gulrajani et al., arXiv:1704.00028
_MIN_IMPROVEMENT_DB = 0.005
_MAX_SAMPLES = 6


@dataclass(frozen=True, kw_only=True)
class PairedConfig(TrainConfig):
    """Config of paired training. The weight of each loss is its own field; 0 switches the loss off.

    Attributes:
        weight_decay: Of Muon and AdamW.
        turned: Share of the crops that are rotated and scaled, input and target alike.
        min_scale: Smallest scale of such crops; `max_scale` is the largest.
        held_out: Share of the pairs held out for validation, at most `max_held_out` pairs.
    """

    output: Annotated[str, Option(help="The generator returns a picture, or its change (keeps detail).")] = "picture"
    l1: Annotated[float, Option(help="Weight of the colour difference.", min=0)] = 1.0
    gradient: Annotated[float, Option(help="Weight of the image gradients' difference.", min=0)] = 0.5
    perceptual: Annotated[float, Option(help="Weight of the VGG-19 features; needs --vgg.", min=0)] = 0.0
    adversarial: Annotated[float, Option(help="Weight of the PatchGAN discriminator.", min=0)] = 0.0
    temporal: Annotated[float, Option(help="Weight of the stability from frame to frame.", min=0)] = 0.2
    gan: Annotated[str, Option(help=f"Adversarial loss: {', '.join(GAN_KINDS)}.")] = "lsgan"
    spectral: Annotated[bool, Option("--spectral/--no-spectral", help="Spectral norm of the discriminator.")] = False
    r1: Annotated[float, Option(help="Weight of the discriminator's R1 penalty.", min=0)] = 0.0
    vgg: Annotated[Path | None, Option(metavar="FILE", help="npz of VGG-19's weights.")] = None
    optimiser: Annotated[str, Option(help=f"{', '.join(OPTIMISERS)}.", show_default="the generator's own")] = "soap"
    weight_decay: float = 1e-4
    crop_px: Annotated[int, Option("--crop", help="Side of the training crops, pixels.", min=16)] = 128
    webcam: Annotated[float, Option(help="Degradation of the inputs as by a webcam.", min=0, max=1)] = 0.6
    relit: Annotated[float, Option(help="Share of relit pairs.", min=0, max=1, show_default="0.4; 0 for sketch")] = 0.4
    turned: float = 0.2
    min_scale: float = 0.9
    max_scale: float = 1.12
    grid_px: Annotated[int, Option("--grid", help="Grid of the targets, pixels; 1 for none.", min=1)] = 1
    held_out: float = 0.05
    max_held_out: int = 48
    local = ("workers", "vgg")

    @property
    def needed_inputs(self) -> tuple[str, ...]:
        """Inputs that the generator must have."""
        return ("image",)

    def __post_init__(self) -> None:
        super().__post_init__()
        spec = generator_spec(self.generator)
        if spec.region == "lips":
            raise OptionsError(f"generator {self.generator!r}", "it paints lips only", "use veneer train lips")
        if spec.inputs != self.needed_inputs or spec.output_size not in ("same", "half"):
            raise OptionsError(f"generator {self.generator!r}", spec.unsupported, "use another --generator")
        for name, value, known in (
            ("output", self.output, OUTPUTS),
            ("GAN kind", self.gan, GAN_KINDS),
            ("optimiser", self.optimiser, OPTIMISERS),
        ):
            if value not in known:
                raise OptionsError(f"{name} {value!r}", "there is no such value", f"use {', '.join(known)}")
        if self.l1 + self.gradient + self.perceptual + self.adversarial == 0:
            raise OptionsError("loss weights", "all losses are switched off", "give --l1 or another one a weight")
        if self.perceptual and self.vgg is None:
            raise OptionsError("the perceptual loss", "no VGG-19 weights", "name their npz file with --vgg")
        if self.crop_px % 8:
            raise OptionsError(f"crops of {self.crop_px} pixels", "not a multiple of 8", "use 128")


ConfigT = TypeVar("ConfigT", bound=PairedConfig)


class PairedMethod(TrainingMethod[ConfigT]):
    """Supervised image translation, as pix2pix without a discriminator or with one (Isola et al., arXiv:1611.07004)."""

    data: PairedDataset

    def __init__(self, config: ConfigT, data: PairedDataset) -> None:
        super().__init__(config, data)
        learned, held = split(data.names, config.held_out, config.max_held_out, config.seed)
        self.learned, self.held_out = data.subset(learned), data.subset(held)
        self._vgg: VggFeatures | None = None

    @property
    def objective(self) -> Objective:
        """The adversarial objective."""
        return Objective(self.config.gan, self.config.r1)

    def networks(self) -> dict[str, nn.Module]:
        """Return the generator, and the discriminator if the adversarial loss has a weight."""
        networks: dict[str, nn.Module] = {"generator": build_generator(self.config)}
        if self.config.adversarial:
            # A gradient penalty needs independent examples, so no batch normalisation.
            critic: nn.Module = PatchGan(norm=not self.objective.needs_independent_pictures)
            networks["discriminator"] = spectrally_normed(critic) if self.config.spectral else critic
        return {name: net.to(memory_format=torch.channels_last) for name, net in networks.items()}  # type: ignore[call-overload]

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Return the optimiser of each network; the discriminator's is that of pix2pix."""
        config, networks = self.config, self.parts.networks
        lr, decay = config.peak_lr, config.weight_decay
        optimisers = {"generator": build_optimiser(config.optimiser, networks["generator"], lr=lr, weight_decay=decay)}
        if "discriminator" in networks:
            optimisers["discriminator"] = torch.optim.Adam(networks["discriminator"].parameters(), 2e-4, (0.5, 0.999))
        return optimisers

    def dataset(self, rank: int) -> PairedBatches:
        """Return augmented batches of crops."""
        config = self.config
        return PairedBatches(
            pairs=self.learned, batch=config.batch, crop_px=config.crop_px, webcam=config.webcam, relit=config.relit,
            turned=config.turned, scales=(config.min_scale, config.max_scale), grid_px=config.grid_px, seed=config.seed,
            two_views=bool(config.temporal), rank=rank,
        )  # fmt: skip

    def prepare(self) -> None:
        """Load VGG-19 if needed, and check that the generator takes pictures and crops.

        Raises OptionsError if the VGG-19 file is not readable, or a size does not fit the generator.
        """
        config, parts = self.config, self.parts
        if config.perceptual and config.vgg is not None:
            self._vgg = VggFeatures(config.vgg).to(parts.fabric.device)
        for size_wh in (self.data.size_wh, (config.crop_px, config.crop_px)):
            check_size(parts.averages["generator"], size_wh, config, parts.fabric.device)

    def step(self, batch: PairedBatch) -> dict[str, float]:
        """Train the generator, then the discriminator, on one batch."""
        before, after = self._tensor(batch.before_rgb), self._tensor(batch.after_rgb)
        output = self._picture(self.parts.wrapped["generator"], before)
        return self._learn(before, output, after, batch)

    def _learn(self, before: Tensor, output: Tensor, after: Tensor, batch: PairedBatch) -> dict[str, float]:
        """Train the generator on its output (N, 3, H, W), then the discriminator; return the losses."""
        losses = self._generator_losses(before, output, after, batch)
        total = torch.stack([getattr(self.config, name) * loss for name, loss in losses.items()]).sum()
        reported = {name: float(loss.detach()) for name, loss in losses.items()}
        reported["loss"] = self.minimise("generator", total)
        if "discriminator" in self.parts.networks:
            reported["discriminator"] = self._train_discriminator(before, output.detach(), after)
        return reported

    def _generator_losses(self, before: Tensor, output: Tensor, after: Tensor, batch: PairedBatch) -> dict[str, Tensor]:
        losses, config = self._direct_losses(output, after, batch), self.config
        if config.adversarial:
            discriminator = self.parts.networks["discriminator"]  # unwrapped: it is not trained here
            with held(discriminator), self.parts.fabric.autocast():
                losses["adversarial"] = generator_loss(discriminator(before, output).float(), config.gan)
        return losses

    def _direct_losses(self, output: Tensor, after: Tensor, batch: PairedBatch) -> dict[str, Tensor]:
        """Return the losses that need no discriminator."""
        config, fabric = self.config, self.parts.fabric
        losses: dict[str, Tensor] = {}
        if config.l1:
            losses["l1"] = l1(output, after)
        if config.gradient:
            losses["gradient"] = gradient(output, after)
        if config.temporal and batch.shift_xy is not None:
            losses["temporal"] = temporal(output, torch.from_numpy(batch.shift_xy).to(output.device))
        if self._vgg is not None:
            with fabric.autocast():
                losses["perceptual"] = perceptual(self._vgg, output, after)
        return losses

    def _train_discriminator(self, before: Tensor, fake: Tensor, real: Tensor) -> float:
        parts, kind = self.parts, self.config.gan
        logits = parts.wrapped["discriminator"](torch.cat((before, before)), torch.cat((fake, real)))
        on_fake, on_real = logits.chunk(2)
        loss = discriminator_loss(on_fake, on_real, kind)
        if kind == "wgan-gp":
            rng = np.random.default_rng((self.config.seed, parts.fabric.global_rank, parts.step, 1))
            share = torch.from_numpy(rng.random((len(fake), 1, 1, 1), np.float32)).to(fake.device)
            critic = parts.networks["discriminator"]
            loss = loss + _PENALTY_WEIGHT * gradient_penalty(lambda rgb: critic(before, rgb), fake, real, share)
        if self.config.r1:
            judge = parts.networks["discriminator"]
            loss = loss + Objective("vanilla", self.config.r1).penalties(lambda rgb: [judge(before, rgb)], fake, real)
        value = self.minimise("discriminator", loss, "the discriminator's loss")
        self.objective.limit([parts.networks["discriminator"]])
        return value

    def validate(self) -> Validation:
        """Score the averaged generator on the held-out pairs: PSNR in dB and mean absolute difference of 255."""
        pairs, before, after = self.held_out, self.held_out.before_rgb, self.held_out.after_rgb
        outputs = list(self.outputs(before))
        targets = [after[i] for i in range(len(pairs))]
        off = [np.abs(one.astype(np.int16) - other).mean() for one, other in zip(outputs, targets, strict=True)]
        unpainted_db = mean_psnr_db((before[i] for i in range(len(pairs))), targets)
        scores = {
            "held_out_psnr_db": mean_psnr_db(outputs, targets),
            "held_out_l1_of_255": float(np.mean(off)),
            "unpainted_psnr_db": unpainted_db,
        }
        shown = np.linspace(0, len(pairs) - 1, min(_MAX_SAMPLES, len(pairs))).round().astype(int).tolist()
        samples = [[pictures[i] for i in shown] for pictures in (before, after, outputs)]
        summary = f"held-out PSNR {scores['held_out_psnr_db']:.2f} dB (unpainted {unpainted_db:.2f} dB)"
        return Validation(
            scores, "held_out_psnr_db", min_improvement=_MIN_IMPROVEMENT_DB, samples=samples, summary=summary
        )

    def outputs(self, before_rgb: Pictures, *, batch: int = 8) -> Iterator[ImageU8]:
        """Yield the averaged generator's pictures, (H, W, 3) RGB uint8, as they would be shown: in FP32, clipped."""
        with torch.inference_mode():
            for first in range(0, len(before_rgb), batch):
                chunk = [before_rgb[i] for i in range(first, min(first + batch, len(before_rgb)))]
                output = self._picture(self.parts.averages["generator"], self._tensor(np.stack(chunk)))
                yield from as_pictures(output)

    def card(self) -> dict[str, Any]:
        """Return size, output, data and losses for the style card."""
        pairs, config = self.data, self.config
        losses: dict[str, Any] = {name: getattr(config, name) for name in LOSSES if getattr(config, name)}
        return {
            "size_wh": list(pairs.size_wh),
            "output": config.output,
            "data": self.describe_data(
                f"{len(pairs)} pairs, {len(self.learned)} learned from, {len(self.held_out)} held out"
            ),
            "losses": losses | ({"gan": config.gan} if config.adversarial else {}),
        }

    def _picture(self, generator: Any, before: Tensor) -> Tensor:
        output: Tensor = generator(before).float()
        return before + output if self.config.output == "change" else output


@register
class Paired(PairedMethod[PairedConfig]):
    """The method with its own config; see `PairedMethod`."""

    name = "paired"
    config_class = PairedConfig
