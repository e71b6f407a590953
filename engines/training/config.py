"""TrainConfig: the settings that every training method has. Methods add their own fields in a subclass."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, TypeVar

from typer import Option

from engines.errors import OptionsError
from engines.generators.registry import generator_specs
from engines.option_fields import check_ranges

_GENERATORS = ", ".join(spec.name for spec in generator_specs() if spec.region == "upright")

ConfigT = TypeVar("ConfigT", bound="TrainConfig")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """What the trainer reads. Fields with a `typer.Option` are options of `veneer train STYLE`.

    Attributes:
        peak_lr: Learning rate after `warm_up_steps`; a half cosine lowers it to zero from there.
        ema_decay: Decay of the exponential moving average (EMA) of the weights, which is exported.
        check_every: Steps between two validations. Each writes a checkpoint.
        patience: Validations without improvement before early stopping.
    """

    generator: Annotated[str, Option(help=f"Network: {_GENERATORS}.")] = "toon_net"
    generator_args: Mapping[str, Any] = field(default_factory=dict)
    steps: Annotated[int, Option(help="Training steps.", min=1, max=10**9)] = 12_000
    batch: Annotated[int, Option(help="Batch size.", min=1)] = 16
    accumulate: Annotated[int, Option(help="Batches whose gradients are added up for one step.", min=1, max=4096)] = 1
    peak_lr: Annotated[float, Option("--lr", help="Peak learning rate.", min=0)] = 6e-3
    warm_up_steps: int = 100
    ema_decay: float = 0.997
    check_every: int = 500
    patience: int = 20
    precision: Annotated[str, Option(help="32-true, bf16-mixed, 16-mixed.", show_default="bf16-mixed if fast")] = (
        "bf16-mixed"
    )
    seed: Annotated[int, Option(help="On the CPU, the same seed gives the same weights.", min=0, max=2**32 - 1)] = 0
    workers: Annotated[
        int | None, Option(min=0, max=256, help="Processes that prepare batches.", show_default="half the CPUs")
    ] = None
    local: ClassVar[tuple[str, ...]] = ("workers",)  # settings of this machine, not in checkpoints and style cards

    def __post_init__(self) -> None:
        check_ranges(self)
        if min(self.check_every, self.patience) < 1:
            got = f"check_every {self.check_every}, patience {self.patience}"
            raise OptionsError("training schedule", got, "use 1 or more")

    def to_json(self) -> dict[str, Any]:
        """Return all fields except those of this machine, ready for JSON."""
        names = [one.name for one in dataclasses.fields(self) if one.name not in self.local]
        return {**{name: getattr(self, name) for name in names}, "generator_args": dict(self.generator_args)}

    @classmethod
    def from_json(cls: type[ConfigT], saved: Mapping[str, Any], requested: TrainConfig | None = None) -> ConfigT:
        """Return the config that `to_json` saved, with the settings of this machine from `requested`.

        Raises TypeError if the saved fields are not those of this class; OptionsError if a value is out of range.
        """
        return cls(**{**saved, **{name: getattr(requested, name) for name in cls.local if hasattr(requested, name)}})
