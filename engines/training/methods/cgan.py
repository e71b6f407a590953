"""Conditional GAN: pictures of a class, from noise or from an image (Mirza & Osindero, 2014)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from typer import Option

from engines.discriminators.conditional_critic import ConditionalCritic
from engines.errors import OptionsError
from engines.generators.registry import generator_spec
from engines.training.data.unpaired_dataset import UnpairedBatch, UnpairedBatches, UnpairedDataset
from engines.training.gan_config import GanConfig, linear_decay
from engines.training.generator import as_pictures, build_generator
from engines.training.losses.adversarial import GAN_KINDS, held
from engines.training.method import Presets, TrainingMethod, Validation, register
from engines.training.metrics.sliced_wasserstein import sliced_wasserstein

CLASSES = ("photo", "drawing")
_SHOWN = 6


@dataclass(frozen=True, kw_only=True)
class ConditionalGanConfig(GanConfig):
    """Config of the conditional GAN; class 0 are photos, class 1 drawings."""

    generator: Annotated[str, Option(help="Network: cgan (from noise) or cgan_image (from an image).")] = "cgan"
    side_px: Annotated[int, Option("--side", help="Width and height of the pictures, pixels.", min=32)] = 32
    steps: Annotated[int, Option(help="Training steps.", min=1, max=10**9)] = 50_000
    batch: Annotated[int, Option(help="Batch size.", min=1)] = 16
    gan: Annotated[str, Option(help=f"Adversarial loss: {', '.join(GAN_KINDS)}.")] = "vanilla"
    same: Annotated[float, Option(help="Weight of an unchanged picture of its own class (cgan_image).", min=0)] = 10.0
    check_every: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        if "label" not in generator_spec(self.generator).inputs:
            do = "use cgan or cgan_image"
            raise OptionsError(f"generator {self.generator!r}", "it does not receive a class", do)
        side = self.generator_args.get("side_px", 32)
        if self.generator == "cgan" and side != self.side_px:
            do = f"add --arg side_px={self.side_px}"
            raise OptionsError(f"--side {self.side_px}", f"the generator makes pictures of {side} pixels", do)


@register
class ConditionalGan(TrainingMethod[ConditionalGanConfig]):
    """One generator and one discriminator, which both receive the class."""

    name = "cgan"
    config_class = ConditionalGanConfig
    data_kind = "unpaired"
    scheduled = ("generator", "critic")
    presets: ClassVar[Presets] = {
        "tiny": {"steps": 10_000, "critic_channels": 16, "generator_args": {"classes": 2, "channels": 100}},
        "light": {"generator": "cgan_image", "side_px": 64, "generator_args": {"classes": 2, "channels": 32}},
        "paper": {"steps": 200_000, "batch": 100, "generator_args": {"classes": 2}},
    }
    data: UnpairedDataset

    def networks(self) -> dict[str, nn.Module]:
        """Return the generator and the discriminator."""
        config = self.config
        critic = ConditionalCritic(self._classes, config.critic_channels, norm=config.normed)
        return {"generator": build_generator(config), "critic": config.critic(critic)}

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Return one Adam for each network."""
        config = self.config
        return {
            name: torch.optim.Adam(net.parameters(), config.peak_lr, (config.beta1, 0.999))
            for name, net in self.parts.networks.items()
        }

    def dataset(self, rank: int) -> UnpairedBatches:
        """Return jittered batches of photos and drawings."""
        return UnpairedBatches(data=self.data, batch=self.config.batch, seed=self.config.seed, rank=rank)

    def learning_rate(self, step: int) -> float:
        """Return the learning rate: constant, then falling linearly to zero."""
        return linear_decay(self.config, step)

    def step(self, batch: UnpairedBatch) -> dict[str, float]:
        """Train on pictures of a random class for each item."""
        photos, drawings = self._tensor(batch.photos_rgb), self._tensor(batch.drawings_rgb)
        drawn = torch.rand(len(photos)) < 0.5
        label = self._label(drawn.long())
        real = torch.where(drawn.to(photos.device)[:, None, None, None], drawings, photos)
        critic, objective = self.parts.networks["critic"], self.config.objective
        fake = self._made(self.parts.wrapped["generator"], photos, label)
        with held(critic), self.parts.fabric.autocast():
            loss = objective.for_generator(critic(fake, label)[-1:])
        if "image" in generator_spec(self.config.generator).inputs and self.config.same:
            own = self._made(self.parts.wrapped["generator"], photos, self._label(torch.zeros(len(photos)).long()))
            loss = loss + self.config.same * (own - photos).abs().mean()
        reported = {"generator": self.minimise("generator", loss)}
        fake, judge = fake.detach(), self.parts.wrapped["critic"]
        loss = objective.for_critic(judge(fake, label)[-1:], judge(real, label)[-1:])
        loss = loss + objective.penalties(lambda rgb: critic(rgb, label)[-1:], fake, real)
        reported["critic"] = self.minimise("critic", loss, "the discriminator's loss")
        objective.limit([critic])
        return reported

    @torch.inference_mode()
    def validate(self) -> Validation:
        """Compare pictures of each class with those of the data; the newest weights are kept."""
        generator = torch.Generator().manual_seed(self.config.seed)
        chosen = np.linspace(0, len(self.data.photos_rgb) - 1, 64).astype(int)  # evenly, as they are sorted
        photos = self._tensor(np.stack([self.data.photos_rgb[i] for i in chosen]))
        scores, samples = {}, []
        for number, kind in enumerate(CLASSES):
            label = self._label(torch.full((len(photos),), number))
            made = self._made(self.parts.averages["generator"], photos, label, generator)
            pictures = as_pictures(made)
            real = self.data.photos_rgb if kind == "photo" else self.data.drawings_rgb
            scores[f"{kind}_swd"] = sliced_wasserstein(list(pictures), list(real), seed=self.config.seed)
            samples.append(list(pictures[:_SHOWN]))
        summary = ", ".join(f"{kind}s SWD {scores[f'{kind}_swd']:.1f}" for kind in CLASSES)
        return Validation(scores, samples=samples, summary=summary)

    def card(self) -> dict[str, Any]:
        """Return size, output, data and losses for the style card."""
        what = f"{len(self.data)} photos, {len(self.data.drawing_names)} drawings"
        described = {"size_wh": list(self.data.size_wh), "output": "picture", "data": self.describe_data(what)}
        return {**described, "losses": {"adversarial": 1.0, "gan": self.config.gan}}

    @property
    def _classes(self) -> int:
        return int(self.config.generator_args.get("classes", 10))

    def _label(self, classes: Tensor) -> Tensor:
        one_hot = torch.nn.functional.one_hot(classes, self._classes).float()
        return one_hot.to(self.parts.fabric.device)

    def _made(self, net: Any, photos: Tensor, label: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return pictures in 0..1 of the class, from noise or from the photos."""
        if "image" in generator_spec(self.config.generator).inputs:
            return net(photos, label).float()  # type: ignore[no-any-return]
        latent = int(self.config.generator_args.get("latent", 100))
        noise = torch.randn((len(photos), latent), generator=generator).to(photos.device)
        return net(noise, label).float()  # type: ignore[no-any-return]
