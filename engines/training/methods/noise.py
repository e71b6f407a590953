"""Pictures from noise: GAN, DCGAN, LSGAN, WGAN, WGAN-GP, conditional GAN, PGGAN, StyleGAN and StyleGAN2.

One method trains them all. What the papers changed are values of its config: see `FAMILIES`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from engines.discriminators.dcgan_critic import DcganCritic
from engines.discriminators.growing_critic import GrowingCritic
from engines.discriminators.mlp_critic import MlpCritic
from engines.discriminators.residual_critic import ResidualCritic
from engines.generators.noise_layers import faded, stage
from engines.generators.style_layers import Styled, path_length
from engines.training.augmentation import augmented
from engines.training.data.labelled_pictures import LabelledBatch, LabelledBatches, LabelledPictures
from engines.training.data.picture_pairs import ImageU8
from engines.training.gan_config import linear_decay
from engines.training.generator import build_generator
from engines.training.losses.adversarial import Objective, held, r1_penalty
from engines.training.method import Presets, TrainingMethod, Validation, register
from engines.training.metrics.sliced_wasserstein import sliced_wasserstein
from engines.training.noise_config import NoiseConfig

_ROWS, _COLUMNS = 8, 8
_MEAN_RATE, _PATH_RATE = 0.005, 0.01
_MAX_CHANCE, _ADA_PICTURES = 0.8, 50_000


class State(nn.Module):
    """What training remembers beside weights: the mean path length and the chance of augmentation."""

    def __init__(self) -> None:
        super().__init__()
        self.path_mean: Tensor
        self.chance: Tensor
        self.register_buffer("path_mean", torch.zeros(()))
        self.register_buffer("chance", torch.zeros(()))


class Noise(TrainingMethod[NoiseConfig]):
    """A generator from noise and a discriminator, both with labels or without."""

    name = "noise"
    config_class = NoiseConfig
    data_kind = "pictures"
    scheduled = ("generator", "critic")
    timed: ClassVar[dict[str, Any]] = {"grow": 0.0}
    data: LabelledPictures

    @property
    def cost_share(self) -> float:
        """Mean cost of a step, relative to one with all blocks."""
        return 1 - 0.8 * self.config.grow

    def networks(self) -> dict[str, nn.Module]:
        """Return the generator, its discriminator and the state."""
        config = self.config
        size = (config.side_px, config.critic_channels, config.classes)
        taper_px = config.generator_args.get("taper_px", 32)
        critics: dict[str, Callable[[], nn.Module]] = {
            "dcgan": functools.partial(DcganCritic, *size, norm=config.normed and not config.spectral),
            "stylegan2": functools.partial(ResidualCritic, *size, config.generator_args.get("multiplier", 2), taper_px),
        }
        growing = functools.partial(GrowingCritic, *size, taper_px)
        critic = MlpCritic(*size) if config.is_flat else critics.get(config.generator, growing)()
        return {"generator": build_generator(config), "critic": config.critic(critic), "state": State()}

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Return one optimiser for each network: Adam, or RMSprop for WGAN (algorithm 1 of its paper)."""
        config, nets = self.config, self.parts.networks
        weights = {name: nets[name].parameters() for name in ("generator", "critic")}
        if config.gan == "wgan":
            return {name: torch.optim.RMSprop(one, config.peak_lr) for name, one in weights.items()}
        betas = (config.beta1, config.beta2)
        return {name: torch.optim.Adam(one, config.peak_lr, betas) for name, one in weights.items()}

    def dataset(self, rank: int) -> LabelledBatches:
        """Return random batches, one for each step of the discriminator."""
        config = self.config
        several, mirror = config.critic_steps, config.mirror
        return LabelledBatches(
            data=self.data, batch=config.batch, several=several, mirror=mirror, seed=config.seed, rank=rank
        )

    def learning_rate(self, step: int) -> float:
        """Return the learning rate: constant, unless `decay_from` is below 1."""
        return linear_decay(self.config, step)

    def step(self, batch: list[LabelledBatch]) -> dict[str, float]:
        """Train the discriminator on each batch, then the generator."""
        self._set_level(self.config.level(self.parts.step))
        reported: dict[str, float] = {}
        for part in batch:
            real, label = self._tensor(part.pictures_rgb), self._label(part.labels)
            reported = self._train_critic(real, label)
        return {"generator": self._train_generator(label), **reported}

    def _train_critic(self, real: Tensor, label: Tensor | None) -> dict[str, float]:
        config, critic = self.config, self.parts.wrapped["critic"]
        with torch.no_grad():
            fake = self._drawn(label)
        real, fake = self._changed(self._at_level(real)), self._changed(fake)
        (judged, _), (seen, told) = (_split(critic(pictures, label)) for pictures in (fake, real))
        objective = Objective(config.gan)
        loss = objective.for_critic([judged], [seen]) + self._class_loss(told, label)
        plain = self.parts.networks["critic"]
        loss = loss + objective.penalties(lambda rgb: [_split(plain(rgb, label))[0]], fake, real)
        if config.gan == "wgan-gp" and config.grow:
            loss = loss + 0.001 * seen.square().mean()  # PGGAN, appendix A.1: keeps the logits near zero
        if config.r1 and self.parts.step % config.r1_every == 0:
            loss = loss + config.r1 * config.r1_every * r1_penalty(lambda rgb: _split(plain(rgb, label))[0], real)
        value = self.minimise("critic", loss, "the discriminator's loss")
        objective.limit([plain])
        if not config.ada:
            return {"critic": value}
        state = cast("State", self.parts.networks["state"])
        sign = seen.detach().sign().mean()
        state.chance.add_((sign - config.ada).sign() * len(real) / _ADA_PICTURES).clamp_(0, _MAX_CHANCE)
        return {"critic": value, "augmentation": float(state.chance)}

    def _train_generator(self, label: Tensor | None) -> float:
        config, critic, net = self.config, self.parts.networks["critic"], self.parts.networks["generator"]
        with held(critic), self.parts.fabric.autocast():
            judged, told = _split(critic(self._changed(self._drawn(label)), label))
            loss = Objective(config.gan).for_generator([judged]) + self._class_loss(told, label)
        if isinstance(net, Styled):
            with torch.no_grad():
                mean = net.mapped(self._latents(config.batch), label).mean(0)
                net.get_buffer("average_w").lerp_(mean, _MEAN_RATE)
            if config.path and self.parts.step % config.path_every == 0:
                loss = loss + config.path * config.path_every * self._path_penalty(net, label)
        return self.minimise("generator", loss, "the generator's loss")

    def _class_loss(self, told: Tensor, label: Tensor | None) -> Tensor:
        """Return the weighted cross entropy of each attribute's values: Odena et al., arXiv:1610.09585, equation 3."""
        if label is None or not self.config.auxiliary or not told.shape[1]:
            return told.new_zeros(())
        sizes = [len(values) for values in self.data.attributes.values()]
        parts = zip(torch.split(told, sizes, 1), torch.split(label, sizes, 1), strict=True)
        return self.config.auxiliary * torch.stack([F.cross_entropy(one, wanted) for one, wanted in parts]).mean()

    def _path_penalty(self, net: Styled, label: Tensor | None) -> Tensor:
        """Return the squared distance of the path lengths of half a batch from their mean: StyleGAN2, equation 4."""
        count, state = max(1, self.config.batch // 2), cast("State", self.parts.networks["state"])
        styles = net.mapped(self._latents(count), None if label is None else label[:count])
        styles = styles[:, None].repeat(1, net.layers, 1)
        lengths = path_length(net.synthesis(styles, "random"), styles)
        state.path_mean.lerp_(lengths.detach().mean(), _PATH_RATE)
        return (lengths - state.path_mean).square().mean()

    def _drawn(self, label: Tensor | None) -> Tensor:
        """Return a batch of the generator's pictures in 0..1, at times of two styles."""
        config, net = self.config, self.parts.networks["generator"]
        more: tuple[Any, ...] = ()
        if isinstance(net, Styled) and torch.rand(()) < config.mixing:
            more = (self._latents(config.batch), int(torch.randint(1, net.layers, ())))
        made: Tensor = self.parts.wrapped["generator"](self._latents(config.batch), label, *more)
        return made.float()

    def _latents(self, count: int) -> Tensor:
        net: Any = self.parts.networks["generator"]
        return torch.randn(count, net.latent).to(self.parts.fabric.device)

    def _changed(self, pictures: Tensor) -> Tensor:
        if not self.config.ada:
            return pictures
        return augmented(pictures, cast("State", self.parts.networks["state"]).chance)

    def _set_level(self, level: float) -> None:
        for net in (*self.parts.networks.values(), *self.parts.averages.values()):
            if hasattr(net, "level"):
                setattr(net, "level", level)  # noqa: B010 - the type stubs say it is a tensor

    def _at_level(self, real: Tensor) -> Tensor:
        """Return real pictures at the size of the newest block, faded in as the generator's are."""
        if not self.config.grow:
            return real
        newest, share = stage(self.config.level(self.parts.step))
        real = F.avg_pool2d(real, self.config.side_px // (4 << newest))
        return faded(F.avg_pool2d(real, 2), real, share) if share < 1 else real

    @torch.inference_mode()
    def validate(self) -> Validation:
        """Draw samples of fixed latents and compare them with the pictures; the newest weights are kept."""
        config = self.config
        self._set_level(config.level(self.parts.step + 1))
        pictures = samples(
            self.parts.averages["generator"], self._fixed_labels(), _COLUMNS, config.seed, config.side_px
        )
        swd = sliced_wasserstein(list(pictures), list(self.data.pictures_rgb[:128]), seed=config.seed)
        self._set_level(config.level(config.steps))
        rows = [list(pictures[i : i + _COLUMNS]) for i in range(0, len(pictures), _COLUMNS)]
        return Validation({"swd": swd}, samples=rows, summary=f"SWD {swd:.1f}", film=True)

    def _fixed_labels(self) -> Tensor:
        """Return a label for each row of the samples, (rows, classes): different ones, in their order."""
        found = np.zeros((_ROWS, 0))
        if self.config.classes:
            found = np.unique(self.data.labels[:4096], axis=0)[-1:-11:-1].copy()  # PyTorch takes no negative strides
        return torch.from_numpy(found.astype(np.float32)).to(self.parts.fabric.device)

    def card(self) -> dict[str, Any]:
        """Return size, output, labels, data and losses for the style card."""
        what = f"{len(self.data)} pictures"
        described = {"size_wh": list(self.data.size_wh), "output": "picture", "data": self.describe_data(what)}
        labels = {name: list(values) for name, values in self.data.attributes.items()}
        return {**described, "attributes": labels, "losses": {"gan": self.config.gan, "r1": self.config.r1}}

    def _label(self, labels: NDArray[np.float32]) -> Tensor | None:
        return torch.from_numpy(labels).to(self.parts.fabric.device) if self.config.classes else None


def _split(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return the verdicts (N, 1) and the logits of the classes (N, classes or 0) of a discriminator."""
    return logits[:, :1].float(), logits[:, 1:].float()


def samples(net: Any, labels: Tensor, columns: int, seed: int, side_px: int) -> ImageU8:
    """Return pictures of fixed noise, (rows * columns, S, S, 3) RGB uint8, one label in each row.

    Args:
        net: A generator from noise, with its output in 0..1.
        labels: (rows, classes).
        columns: Pictures of each label.
        seed: Of the noise.
        side_px: Smaller pictures, of a network that still grows, are enlarged to it.
    """
    label = labels.repeat_interleave(columns, 0)
    noise = torch.randn((len(label), net.latent), generator=torch.Generator().manual_seed(seed)).to(label.device)
    made = net(noise, label if label.shape[1] else None).float().clamp(0, 1)
    made = F.interpolate(made, size=(side_px, side_px), mode="nearest")
    pictures: ImageU8 = (made * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return pictures


_PLAIN: dict[str, Any] = {"batch": 64, "check_every": 250, "critic_channels": 32, "generator_args": {"channels": 32}}
_THIN: dict[str, Any] = {"channels": 96, "latent": 128, "taper_px": 8}  # large sizes cost no more than small ones
_THIN_2: dict[str, Any] = {**_THIN, "multiplier": 1}
_GROWN: dict[str, Any] = {
    "batch": 16, "check_every": 250, "peak_lr": 1e-3, "beta1": 0.0, "beta2": 0.99, "critic_channels": 96,
    "generator_args": _THIN,
}  # fmt: skip
_WASSERSTEIN: dict[str, Any] = {"gan": "wgan-gp", "critic_steps": 5, "peak_lr": 1e-4, "beta1": 0.0, "beta2": 0.9}
_STYLED: dict[str, Any] = {"r1": 0.1, "mixing": 0.9}
_FULL: dict[str, Any] = {"critic_channels": 128, "batch": 128, "generator_args": {"channels": 128}, "steps": 100_000}
_FULL_GROWN: dict[str, Any] = {"critic_channels": 512, "generator_args": {}, "steps": 500_000}
# What the papers changed, with networks for two cores; "paper" has the papers' sizes.
FAMILIES: dict[str, Presets] = {
    "gan": {
        "": {**_PLAIN, "generator": "mlp_gan", "side_px": 28, "critic_channels": 256, "generator_args": {}},
        "paper": {"steps": 100_000, "batch": 100},
    },
    "dcgan": {"": _PLAIN, "paper": _FULL},
    "lsgan": {"": {**_PLAIN, "gan": "lsgan"}, "paper": _FULL},
    "wgan": {"": {**_PLAIN, "gan": "wgan", "critic_steps": 5, "peak_lr": 5e-5}, "paper": {**_FULL, "batch": 64}},
    "wgan-gp": {"": {**_PLAIN, **_WASSERSTEIN}, "paper": {**_FULL, "batch": 64}},
    "conditional": {"": {**_PLAIN, "auxiliary": 0.5}, "paper": _FULL},
    "pggan": {
        "": {**_GROWN, "generator": "pggan", "gan": "wgan-gp", "grow": 0.5},
        "paper": {**_FULL_GROWN, "generator": "pggan"},
    },
    "stylegan": {
        "": {**_GROWN, **_STYLED, "generator": "stylegan", "grow": 0.5},
        "paper": {**_FULL_GROWN, "generator": "stylegan"},
    },
    "stylegan2": {
        "": {**_GROWN, **_STYLED, "generator": "stylegan2", "peak_lr": 2e-3, "path": 2.0, "generator_args": _THIN_2},
        "paper": {**_FULL_GROWN, "generator": "stylegan2"},
    },
}
for _name, _presets in FAMILIES.items():
    register(cast("type[Noise]", type(_name, (Noise,), {"name": _name, "presets": _presets, "__doc__": Noise.__doc__})))
