"""UnpairedMethod: two generators in a cycle, judged by discriminators; CycleGAN, U-GAT-IT and Photo2Cartoon."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from typer import Option

from engines.errors import OptionsError
from engines.generators.registry import generator_spec
from engines.training.data.paired_dataset import split
from engines.training.data.picture_pairs import ImageU8
from engines.training.data.unpaired_dataset import UnpairedBatch, UnpairedBatches, UnpairedDataset
from engines.training.gan_config import GanConfig, linear_decay
from engines.training.generator import as_pictures, build_generator, check_size
from engines.training.image_pool import ImagePool
from engines.training.losses.adversarial import held
from engines.training.losses.identity import IdentityNetwork
from engines.training.losses.translation import classified, difference
from engines.training.method import TrainingMethod, Validation
from engines.training.metrics.translation_scores import TranslationScores

_MAX_SAMPLES = 6
_CRITIC_BETA2 = 0.999


@dataclass(frozen=True, kw_only=True)
class UnpairedConfig(GanConfig):
    """Config of the unpaired methods. The weight of each loss is its own field; differences are those of -1..1.

    Attributes:
        initial_steps: Steps at the start without discriminators, in which both generators learn to return their
            pictures, at most half of all: the initialisation phase of CartoonGAN (Chen et al., CVPR 2018,
            section 3.3). The classifiers of the attention learn, too.
        cycle_noise: Standard deviation of the noise added to generated pictures before they are translated back, on the
            scale 0..1 (Bashkirova et al. 2019, arXiv:1908.01517, section 4). It grows from 0 to this value over
            the first half of the steps after the initial ones.
        cam: Weight of the attention's classifiers (U-GAT-IT).
        pool: Earlier pictures that the discriminators also receive.
        weight_decay: Of Adam (U-GAT-IT's program).
        held_out: Share of the photos that is held out for the scores, at most `max_held_out` photos.
    """

    side_px: Annotated[int, Option("--side", help="Width and height of the pictures, pixels.", min=32)] = 256
    initial_steps: Annotated[int, Option(help="First steps, at most half, which learn the identity.", min=0)] = 0
    cycle: Annotated[float, Option(help="Weight of the cycle's difference.", min=0)] = 10.0
    cycle_noise: Annotated[float, Option(help="Final noise of the cycle (sigma, scale 0..1).", min=0, max=1)] = 0.0
    same: Annotated[float, Option(help="Weight of the identity mapping: drawings stay as they are.", min=0)] = 5.0
    face_id: Annotated[float, Option("--face-id", help="Weight of the same person; needs --identity.", min=0)] = 0.0
    identity: Annotated[Path | None, Option(metavar="FILE", help="Face recognition network (.xml).")] = None
    cam: float = 0.0
    pool: int = 0
    weight_decay: float = 0.0
    check_every: int = 1000
    held_out: float = 0.1
    max_held_out: int = 128
    local = ("workers", "identity")

    def __post_init__(self) -> None:
        super().__post_init__()
        if why := generator_spec(self.generator).unsupported:
            raise OptionsError(f"generator {self.generator!r}", why, "use another --generator")
        if self.face_id and self.identity is None:
            do = "name the .xml file of a face recognition network with --identity, or use --face-id 0"
            raise OptionsError("the face-ID loss", "no identity network", do)

    @property
    def first_steps(self) -> int:
        """Number of steps of the initialisation phase: a short training has fewer than `initial_steps`."""
        return min(self.initial_steps, self.steps // 2)


ConfigT = TypeVar("ConfigT", bound=UnpairedConfig)


def generator_configs(config: ConfigT) -> dict[str, ConfigT]:
    """Return the config of each generator: photos have texture, and are not made even as drawings may be."""
    arguments = dict(config.generator_args)
    if "edge_levels" in generator_spec(config.generator).arguments:
        arguments["edge_levels"] = 0.0
    return {"generator": config, "back": replace(config, generator_args=arguments)}


class UnpairedMethod(TrainingMethod[ConfigT]):
    """Photos to drawings and back: "generator" draws, "back" makes photos of drawings."""

    data_kind = "unpaired"
    averaged = ("generator", "back")
    scheduled = ("generator", "critics")
    timed: ClassVar[dict[str, Any]] = {"initial_steps": 0}
    data: UnpairedDataset

    def __init__(self, config: ConfigT, data: UnpairedDataset) -> None:
        super().__init__(config, data)
        learned, held_out = split(data.photo_names, config.held_out, config.max_held_out, config.seed)
        self.learned, self.held_out = data.subset(learned), data.subset(held_out)
        self._identity: IdentityNetwork | None = None
        self._scores: TranslationScores | None = None

    @abstractmethod
    def critics(self) -> dict[str, nn.Module]:
        """Build the discriminators; names begin with "drawing" or "photo". They return features and logits."""

    @abstractmethod
    def logits(self, critic: Any, pictures: Tensor) -> Sequence[Tensor]:
        """Return the logits of a discriminator for pictures (N, 3, H, W) in 0..1."""

    def networks(self) -> dict[str, nn.Module]:
        """Return both generators, the discriminators, and the pools of earlier pictures."""
        config = self.config
        pools = {f"pool of {kind}s": ImagePool(config.pool, config.side_px) for kind in ("drawing", "photo")}
        generators = {name: self.prepared(build_generator(one)) for name, one in generator_configs(config).items()}
        return {**generators, **{name: self.prepared(net) for name, net in self.critics().items()}, **pools}

    def prepared(self, net: nn.Module) -> nn.Module:
        """Return a network with its first weights."""
        return net

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Return one Adam for both generators and one for all discriminators."""
        config, nets = self.config, self.parts.networks
        groups = {"generator": [nets["generator"], nets["back"]], "critics": [nets[name] for name in self.critic_names]}
        return {
            name: torch.optim.Adam(
                [weight for net in group for weight in net.parameters() if weight.requires_grad],
                config.peak_lr, (config.beta1, _CRITIC_BETA2), weight_decay=config.weight_decay,
            )
            for name, group in groups.items()
        }  # fmt: skip

    @property
    def critic_names(self) -> list[str]:
        """Names of the discriminators."""
        return [name for name in self.parts.networks if name.startswith(("drawing", "photo"))]

    def dataset(self, rank: int) -> UnpairedBatches:
        """Return jittered batches of photos and drawings."""
        return UnpairedBatches(data=self.learned, batch=self.config.batch, seed=self.config.seed, rank=rank)

    def prepare(self) -> None:
        """Load the identity network, and check that the generator takes the pictures."""
        config, parts = self.config, self.parts
        if config.identity is not None:
            self._identity = IdentityNetwork(config.identity).to(parts.fabric.device)
        check_size(parts.averages["generator"], self.data.size_wh, config, parts.fabric.device)

    def learning_rate(self, step: int) -> float:
        """Return the learning rate: constant, then falling linearly to zero."""
        return linear_decay(self.config, step)

    def step(self, batch: UnpairedBatch) -> dict[str, float]:
        """Train both generators, then all discriminators, on one batch."""
        real = {"photo": self._tensor(batch.photos_rgb), "drawing": self._tensor(batch.drawings_rgb)}
        if self.parts.step < self.config.first_steps:
            return self._minimised(self._reconstructed(real))
        eyes_xy = torch.from_numpy(batch.eyes_xy).to(self.parts.fabric.device)
        fake, losses = self._cycle(real, eyes_xy)
        reported = self._minimised(losses)
        pools = self.parts.networks
        judged = {kind: pools[f"pool of {kind}s"].exchange(one) for kind, one in fake.items()}  # type: ignore[operator]
        reported["critics"] = self._train_critics(judged, real)
        return reported

    def _minimised(self, losses: dict[str, tuple[float, Tensor]]) -> dict[str, float]:
        """Train both generators on the weighted losses, and return the losses and their sum."""
        total = torch.stack([weight * loss for weight, loss in losses.values()]).sum()
        reported = {name: float(loss.detach()) for name, (_, loss) in losses.items()}
        reported["loss"] = self.minimise("generator", total)
        self.after_generators()
        return reported

    def after_generators(self) -> None:
        """Limit weights after the generators' step."""

    def _reconstructed(self, real: dict[str, Tensor]) -> dict[str, tuple[float, Tensor]]:
        """Return the losses of the initialisation phase: each generator returns what it receives, and classifies it."""
        same, cam = [], []
        for name, (own, other) in {"generator": ("drawing", "photo"), "back": ("photo", "drawing")}.items():
            made = {kind: self._drawn(self.parts.wrapped[name], real[kind]) for kind in (other, own)}
            same += [difference(made[kind][0], real[kind]) for kind in made]
            if made[other][1] is not None:
                cam.append(classified(made[other][1], made[own][1]))
        losses = {"same": (1.0, torch.stack(same).sum())}
        return {**losses, "cam": (1.0, torch.stack(cam).sum())} if cam else losses

    def _cycle(
        self, real: dict[str, Tensor], eyes_xy: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, tuple[float, Tensor]]]:
        """Return the made drawings and photos, and the losses by name with their weights."""
        config, nets = self.config, self.parts.wrapped
        made, made_cam = self._drawn(nets["generator"], real["photo"])
        photo, photo_cam = self._drawn(nets["back"], real["drawing"])
        cycle = difference(self._drawn(nets["back"], self._noised(made))[0], real["photo"])
        cycle = cycle + difference(self._drawn(nets["generator"], self._noised(photo))[0], real["drawing"])
        losses = {"cycle": (config.cycle, cycle)}
        if config.same or config.cam:
            same_drawing, same_drawing_cam = self._drawn(nets["generator"], real["drawing"])
            same_photo, same_photo_cam = self._drawn(nets["back"], real["photo"])
            same = difference(same_drawing, real["drawing"]) + difference(same_photo, real["photo"])
            losses["same"] = config.same, same
            if made_cam is not None and photo_cam is not None:
                cam = classified(made_cam, same_drawing_cam) + classified(photo_cam, same_photo_cam)
                losses["cam"] = config.cam, cam
        fake = {"drawing": made, "photo": photo}
        adversarial = made.new_zeros(())
        for name in self.critic_names:
            critic = self.parts.networks[name]  # not wrapped: it is not trained here
            with held(critic), self.parts.fabric.autocast():
                adversarial = adversarial + config.objective.for_generator(self.logits(critic, fake[_kind(name)]))
        losses["adversarial"] = 1.0, adversarial
        if self._identity is not None and config.face_id:
            losses["face_id"] = config.face_id, (1 - self._identity.cosine(real["photo"], made, eyes_xy)).mean()
        return fake, losses

    def _noised(self, pictures: Tensor) -> Tensor:
        """Add Gaussian noise, so that faint patterns cannot carry the other picture through the cycle.

        Full noise from the first step keeps the generator close to the identity.
        """
        config = self.config
        after = (self.parts.step - config.first_steps) / (config.steps - config.first_steps)
        sigma = config.cycle_noise * min(1.0, 2 * after)
        return pictures + sigma * torch.randn_like(pictures) if sigma else pictures

    def _drawn(self, net: Any, pictures: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return a generator's pictures in 0..1, and the logits of its classifiers if they are trained."""
        if self.config.cam:
            picture, logits = net(pictures, with_logits=True)
            return picture.float(), logits.float()
        return net(pictures).float(), None

    def _train_critics(self, fake: dict[str, Tensor], real: dict[str, Tensor]) -> float:
        parts, objective = self.parts, self.config.objective
        total = torch.zeros((), device=parts.fabric.device)
        for name in self.critic_names:
            one, other = fake[_kind(name)], real[_kind(name)]
            found = [self.logits(parts.wrapped[name], pictures) for pictures in (one, other)]
            total = total + objective.for_critic(*found)
            plain = parts.networks[name]
            total = total + objective.penalties(lambda rgb, net=plain: self.logits(net, rgb), one, other)  # type: ignore[misc]
        value = self.minimise("critics", total, "the discriminators' loss")
        objective.limit(parts.networks[name] for name in self.critic_names)
        return value

    def validate(self) -> Validation:
        """Score the averaged generators on held-out photos; the newest weights are kept."""
        if self._scores is None:
            self._scores = TranslationScores(self.held_out, self._identity, self.config.seed)
            self._scores.untrained = self._scores.of(*self._pictures(self._untrained()))
        drawn, back = self._pictures([self.parts.averages[name] for name in self.averaged])
        scores = self._scores.of(drawn, back)
        shown = np.linspace(0, len(self.held_out) - 1, min(_MAX_SAMPLES, len(self.held_out))).round().astype(int)
        made_photos = [self._picture(self.parts.averages["back"], one) for one in self.data.drawings_rgb[: len(shown)]]
        samples = [
            [self.held_out.photos_rgb[i] for i in shown], [drawn[i] for i in shown], [back[i] for i in shown],
            list(self.data.drawings_rgb[: len(made_photos)]), made_photos,
        ]  # fmt: skip
        if len({len(row) for row in samples}) > 1:
            samples = samples[:3]
        return Validation(self._scores.compared(scores), samples=samples, summary=self._scores.summary(scores))

    def _untrained(self) -> list[nn.Module]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            nets = [self.prepared(build_generator(one)) for one in generator_configs(self.config).values()]
        return [net.to(self.parts.fabric.device).eval() for net in nets]

    def _pictures(self, nets: Sequence[nn.Module]) -> tuple[list[ImageU8], list[ImageU8]]:
        """Return drawings of the held-out photos, and the photos made of these drawings."""
        drawn = [self._picture(nets[0], photo) for photo in self.held_out.photos_rgb]
        return drawn, [self._picture(nets[1], one) for one in drawn]

    @torch.inference_mode()
    def _picture(self, net: nn.Module, rgb: ImageU8) -> ImageU8:
        return as_pictures(net(self._tensor(rgb[None])).float())[0]  # type: ignore[no-any-return]

    def card(self) -> dict[str, Any]:
        """Return size, output, data and losses for the style card."""
        data, config = self.data, self.config
        what = f"{len(data)} photos, {len(self.learned)} learned from, {len(data.drawing_names)} drawings"
        losses = {name: getattr(config, name) for name in ("cycle", "same", "cam", "face_id") if getattr(config, name)}
        return {
            "size_wh": list(data.size_wh),
            "output": "picture",
            "data": self.describe_data(what),
            "losses": {**losses, "adversarial": 1.0, "gan": config.gan},
        }


def _kind(critic: str) -> str:
    return "drawing" if critic.startswith("drawing") else "photo"
