"""Conditional GAN: a photo as a picture of a class (Mirza & Osindero, 2014)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from typer import Option

from engines.discriminators.conditional_critic import ConditionalCritic
from engines.errors import OptionsError
from engines.training.data.unpaired_dataset import UnpairedBatch, UnpairedBatches, UnpairedDataset
from engines.training.gan_config import GanConfig, linear_decay
from engines.training.generator import as_pictures, build_generator, check_size
from engines.training.losses.adversarial import GAN_KINDS, held
from engines.training.method import Presets, TrainingMethod, Validation, register
from engines.training.metrics.sliced_wasserstein import sliced_wasserstein

CLASSES = ("photo", "drawing")  # a style shows the last one
_SHOWN = 6
_CHECKED, _AT_ONCE = 64, 8  # pictures of a validation, and of one pass


@dataclass(frozen=True, kw_only=True)
class ConditionalGanConfig(GanConfig):
    """Config of the conditional GAN; class 0 are photos, class 1 drawings, which the style shows."""

    generator: Annotated[str, Option(help="Network: cgan_image.")] = "cgan_image"
    side_px: Annotated[int, Option("--side", help="Width and height of the pictures, pixels.", min=32)] = 64
    steps: Annotated[int, Option(help="Training steps.", min=1, max=10**9)] = 50_000
    batch: Annotated[int, Option(help="Batch size.", min=1)] = 16
    gan: Annotated[str, Option(help=f"Adversarial loss: {', '.join(GAN_KINDS)}.")] = "vanilla"
    same: Annotated[float, Option(help="Weight of an unchanged picture of its own class.", min=0)] = 10.0
    check_every: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.generator != "cgan_image":
            got = "it does not receive an image and a class"
            raise OptionsError(f"generator {self.generator!r}", got, "use cgan_image")
        if self.generator_args.get("classes", len(CLASSES)) != len(CLASSES):
            got, do = f"the classes are {' and '.join(CLASSES)}", "leave it out"
            raise OptionsError(f"--arg classes={self.generator_args['classes']}", got, do)
        object.__setattr__(self, "generator_args", {**self.generator_args, "classes": len(CLASSES)})


@register
class ConditionalGan(TrainingMethod[ConditionalGanConfig]):
    """One generator and one discriminator, which both receive the class."""

    name = "cgan"
    config_class = ConditionalGanConfig
    data_kind = "unpaired"
    scheduled = ("generator", "critic")
    presets: ClassVar[Presets] = {
        "tiny": {"steps": 10_000, "batch": 4, "critic_channels": 16, "generator_args": {"channels": 16, "blocks": 3}},
        "light": {"side_px": 128, "generator_args": {"channels": 32}},
        "paper": {"side_px": 256, "steps": 200_000, "generator_args": {"channels": 64, "blocks": 9}},
    }
    data: UnpairedDataset

    def networks(self) -> dict[str, nn.Module]:
        """Return the generator and the discriminator."""
        config = self.config
        critic = ConditionalCritic(len(CLASSES), config.critic_channels, norm=config.normed)
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

    def prepare(self) -> None:
        """Check that the generator takes the pictures."""
        check_size(self.parts.averages["generator"], self.data.size_wh, self.config, self.parts.fabric.device)

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
        fake = self.parts.wrapped["generator"](photos, label).float()
        with held(critic), self.parts.fabric.autocast():
            loss = objective.for_generator(critic(fake, label)[-1:])
        if self.config.same:
            own = self.parts.wrapped["generator"](photos, self._label(torch.zeros(len(photos)).long())).float()
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
        chosen = np.linspace(0, len(self.data.photos_rgb) - 1, _CHECKED).astype(int)  # evenly, as they are sorted
        photos = self._tensor(np.stack([self.data.photos_rgb[i] for i in chosen]))
        scores, samples = {}, []
        for number, kind in enumerate(CLASSES):
            label, net = self._label(torch.full((_AT_ONCE,), number)), self.parts.averages["generator"]
            pictures = np.concatenate([as_pictures(net(part, label).float()) for part in torch.split(photos, _AT_ONCE)])
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

    def _label(self, classes: Tensor) -> Tensor:
        one_hot = torch.nn.functional.one_hot(classes, len(CLASSES)).float()
        return one_hot.to(self.parts.fabric.device)
