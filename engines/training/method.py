"""TrainingMethod: what one way to train a generator defines. `engines.training.trainer` does the rest."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from engines.errors import OptionsError
from engines.training.config import TrainConfig
from engines.training.progress import RESTART, DivergedError

Presets = Mapping[str, Mapping[str, Any]]  # values of config fields by preset
ConfigT = TypeVar("ConfigT", bound=TrainConfig)
MethodT = TypeVar("MethodT", bound="TrainingMethod[Any]")


class BatchSource(Protocol):
    """A map-style dataset whose item is the whole batch of a step.

    The batch must depend on the seed, the device and the step only: then a resumed run gets the same batches. Items
    are prepared in worker processes, so the source and its batches must be picklable.
    """

    def __getitem__(self, step: int) -> Any:
        """Return the batch of a step, counted from 0."""


@dataclass(slots=True)
class Parts:
    """What a method trains, prepared by the trainer: on the device, in the run's precision.

    Attributes:
        networks: The plain networks of `TrainingMethod.networks`.
        wrapped: The same, to call in a training step: they cast to the run's precision and synchronise gradients.
        optimisers: The optimisers of `TrainingMethod.optimisers`, wrapped for the precision.
        averages: Exponential moving averages of the networks named in `TrainingMethod.averaged`, in evaluation mode.
        step: Number of the current step, from 0.
        part: Number of the current batch of the step, from 0, of `TrainConfig.accumulate`.
    """

    fabric: Fabric
    networks: dict[str, nn.Module]
    wrapped: dict[str, Any]
    optimisers: dict[str, Any] = field(default_factory=dict)
    averages: dict[str, nn.Module] = field(default_factory=dict)
    step: int = 0
    part: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Validation:
    """The result of one validation.

    Attributes:
        scores: Numbers for the log, the curves and the style card.
        metric: The score that selects the weights to keep and stops early; "" keeps the newest weights.
        min_improvement: Changes up to this size do not count as an improvement.
        samples: Rows of pictures of one size, (H, W, 3) RGB uint8, for `samples.png`.
        film: Whether each sheet is kept in the folder `growth`, as a frame of a film.
    """

    scores: Mapping[str, float] = field(default_factory=dict)
    metric: str = ""
    higher_is_better: bool = True
    min_improvement: float = 0.0
    samples: Sequence[Sequence[NDArray[np.uint8]]] = ()
    summary: str = ""
    film: bool = False

    def improves_on(self, best: Mapping[str, float]) -> bool:
        """Whether these scores replace the best ones so far."""
        if not self.metric or not best:
            return True
        gain = self.scores[self.metric] - best[self.metric]
        return (gain if self.higher_is_better else -gain) > self.min_improvement


class TrainingMethod(ABC, Generic[ConfigT]):
    """One way to train: its networks, optimisers, data, losses and scores.

    The trainer calls `networks` (under the run's seed), `optimisers`, `prepare`, then `step` for every batch of
    `dataset`, `validate` at intervals, and `export` for the weights to keep. A method neither reads nor writes files of
    the run, and keeps no state outside `parts`, the config and the data.

    Attributes:
        name: Name for `--method`, `GeneratorSpec.method` and checkpoints; the name of the method's module.
        data_kind: What `veneer train` prepares for it: "pairs" of pictures, "unpaired" photos and drawings,
            "pictures" with labels or without, "style" for photos and one style picture, "persons" for the faces of
            two; "" if the method has a command of its own.
        presets: Values of config fields by the name of `--preset`; options on the command line come before them.
        scheduled: Optimisers whose learning rate the trainer sets in every step; the others keep their own.
        averaged: Networks of which an exponential moving average is kept.
        target_pictures: Number of pictures that a target of paired data consists of; see `open_pairs`.
        timed: Values of config fields under which a step is timed for a time budget.
        cost_share: Mean cost of a step, relative to the timed ones.
    """

    name: ClassVar[str]
    config_class: ClassVar[type[TrainConfig]]
    data_kind: ClassVar[str] = "pairs"
    presets: ClassVar[Presets] = {}
    scheduled: ClassVar[tuple[str, ...]] = ("generator",)
    averaged: ClassVar[tuple[str, ...]] = ("generator",)
    target_pictures: ClassVar[int] = 1
    timed: ClassVar[Mapping[str, Any]] = {}
    parts: Parts

    def __init__(self, config: ConfigT, data: Any) -> None:
        self.config, self.data = config, data

    def with_config(self: MethodT, config: TrainConfig) -> MethodT:
        """Return this method with another config and no parts."""
        return type(self)(config, self.data)

    @property
    def cost_share(self) -> float:  # noqa: D102
        return 1.0

    @abstractmethod
    def networks(self) -> dict[str, nn.Module]:
        """Build all trained networks by name. The one to export is usually named "generator"."""

    @abstractmethod
    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Build the optimisers of `self.parts.networks` by name; one may hold the weights of several networks."""

    @abstractmethod
    def dataset(self, rank: int) -> BatchSource:
        """Return the batches of one device."""

    @abstractmethod
    def step(self, batch: Any) -> dict[str, float]:
        """Train on one batch and return the losses by name. Several optimisers may take several steps each."""

    @abstractmethod
    def validate(self) -> Validation:
        """Score the averaged networks. Called on every device, with equal results on all."""

    def export(self) -> nn.Module:
        """Return the network to keep: by default the average of "generator"."""
        return self.parts.averages["generator"]

    def prepare(self) -> None:
        """Load helpers and check sizes, before the first step. `parts` is complete."""

    def start_from(self, generator: nn.Module) -> None:
        """Copy another generator's weights to "generator" and its average. Raises OptionsError if the layers differ."""
        try:
            for group in (self.parts.networks, self.parts.averages):
                if "generator" in group:
                    group["generator"].load_state_dict(generator.state_dict())
        except RuntimeError as error:
            got = "it is another generator, or has other arguments"
            raise OptionsError("weights to start from", got, "omit --from, or name another style") from error

    def card(self) -> dict[str, Any]:
        """Return the method's entries of the style card: data, losses, output size."""
        return {}

    def describe_data(self, what: str) -> dict[str, Any]:
        """Return the entry "data" of the style card."""
        data = self.data
        return {"what": what, "terms": data.terms, "pictures_included": False, "pixels_sha256": data.digest()}

    def _tensor(self, pictures_rgb: NDArray[np.uint8]) -> Tensor:
        """Convert (N, H, W, 3) uint8 to (N, 3, H, W) float32 0..1 on the device."""
        pictures = torch.from_numpy(np.ascontiguousarray(pictures_rgb)).to(self.parts.fabric.device)
        return pictures.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.channels_last) / 255

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of the scheduled optimisers: linear warm-up, then a half cosine down to zero."""
        config, warm_up = self.config, min(1.0, (step + 1) / self.config.warm_up_steps)
        return config.peak_lr * warm_up * 0.5 * (1 + math.cos(math.pi * (step / config.steps)))

    def ema_decay(self, step: int) -> float:
        """Return the decay of the moving averages after a step; low at first, to discard the initial weights."""
        return min(self.config.ema_decay, (step + 1) / (step + 10))

    def minimise(self, optimiser: str, loss: Tensor, name: str = "the loss") -> float:
        """Take one step of an optimiser along the gradients of a scalar loss; return the loss.

        With `TrainConfig.accumulate`, the gradients are added up, and the step is taken with the last batch. Gradients
        of other networks must then not be computed: see `engines.training.losses.adversarial.held`.

        Raises DivergedError if the loss is not finite; the weights are unchanged.
        """
        value, stepper = float(loss.detach()), self.parts.optimisers[optimiser]
        if not math.isfinite(value):
            raise DivergedError("training", f"{name} is {value} at step {self.parts.step + 1}", RESTART)
        batches, part = self.config.accumulate, self.parts.part
        if part == 0:
            stepper.zero_grad(set_to_none=True)
        self.parts.fabric.backward(loss if batches == 1 else loss / batches)
        if part == batches - 1:
            stepper.step()
        return value


METHODS: dict[str, type[TrainingMethod[Any]]] = {}  # of all modules imported so far, by name


def register(method: type[MethodT]) -> type[MethodT]:
    """Class decorator: make a method available by its name."""
    METHODS[method.name] = method
    return method
