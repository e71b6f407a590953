"""Face swap: one encoder learns the faces of two persons, and a decoder each learns to draw one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from typer import Option

from engines.errors import OptionsError
from engines.generators.registry import generator_spec
from engines.generators.swap_net import SwapDecoder, SwapNet
from engines.regions.aligned_face import REGION, guided
from engines.training.config import TrainConfig
from engines.training.data.person_faces import SwapBatch, SwapBatches, SwapFaces, inner, skin_outside
from engines.training.data.picture_pairs import ImageU8
from engines.training.generator import as_pictures, build_generator
from engines.training.losses.expression import ExpressionLoss
from engines.training.losses.similarity import at_windows, dissimilarity
from engines.training.method import TrainingMethod, Validation, register

_HELD_OUT = 6  # faces of each person
_PLAIN_COST = 0.45  # of a step without the expression of swaps, relative to one with it
_OUTSIDE = 0.1  # weight of what is not the face


@dataclass(frozen=True, kw_only=True)
class FaceSwapConfig(TrainConfig):
    """Config of the face swap.

    Attributes:
        falling_from: Part of the steps after which the learning rate falls linearly to zero. Only then the expression
            of swaps is trained: from the start it delays what both decoders learn.
    """

    generator: Annotated[str, Option(help="Network: swap_net.")] = "swap_net"
    steps: Annotated[int, Option(help="Training steps.", min=1, max=10**9)] = 40_000
    batch: Annotated[int, Option(help="Faces of each person in one step.", min=1)] = 8
    peak_lr: Annotated[float, Option("--lr", help="Peak learning rate.", min=0)] = 1e-3
    l1: Annotated[float, Option(help="Weight of the colour difference.", min=0)] = 1.0
    ssim: Annotated[float, Option(help="Weight of the structural difference.", min=0)] = 1.0
    features: Annotated[float, Option(help="Weight of eyes and mouth; the face has 1.", min=0)] = 6.0
    expression: Annotated[float, Option(help="Weight of the places of lids and lips in swaps.", min=0)] = 1.0
    shape: Annotated[float, Option(help="How far the other face takes the own one's shape.", min=0, max=1)] = 0.7
    webcam: Annotated[float, Option(help="Degradation of the inputs as by a webcam.", min=0, max=1)] = 0.3
    ema_decay: float = 0.995
    falling_from: float = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.generator != "swap_net":
            raise OptionsError(f"--generator {self.generator}", "it has no decoders of persons", "leave it out")
        if self.l1 + self.ssim == 0:
            raise OptionsError("loss weights", "both losses are switched off", "give --l1 or --ssim a weight")

    @property
    def side_px(self) -> int:
        """Width and height of the network's pictures."""
        usual = generator_spec(self.generator).arguments["side"].default
        return int(self.generator_args.get("side", usual))


class _Pair(nn.Module):
    """The network that is kept, and the decoder of the person who is replaced."""

    def __init__(self, swap: SwapNet, back: SwapDecoder) -> None:
        super().__init__()
        self.swap, self.back = swap, back

    def forward(self, faces: Tensor, *, swaps: bool = False) -> Tensor:
        """Return the faces of both persons by the own decoder each, and with `swaps` those of the first by the other's.

        Args:
            faces: (2 N, 3, S, S): N of each person.
            swaps: Return (3 N, 3, S, S) instead of (2 N, 3, S, S).
        """
        one, other = self.swap.encoder(faces).chunk(2)
        return torch.cat((self.back(one), self.swap.decoder(torch.cat((other, one)) if swaps else other)))


@register
class FaceSwap(TrainingMethod[FaceSwapConfig]):
    """Both decoders learn to undo a random warp; the encoder cannot know from whom a face is.

    The kept network draws the other person with the expression that the encoder sees.
    """

    name = "face_swap"
    config_class = FaceSwapConfig
    data_kind = "persons"
    averaged = ("pair",)
    presets: Mapping[str, Mapping[str, Any]] = {  # type: ignore[misc]
        "tiny": {
            "generator_args": {"side": 96, "channels": 20, "latent": 256, "blocks": 1},
            "steps": 40_000,
            "batch": 6,
        },
        "light": {
            "generator_args": {"side": 192, "channels": 48, "latent": 512, "blocks": 2},
            "steps": 100_000,
            "batch": 32,
            "peak_lr": 4e-4,
        },
    }
    timed: ClassVar[dict[str, Any]] = {"falling_from": 0.0}
    data: SwapFaces

    @property
    def cost_share(self) -> float:  # noqa: D102
        config = self.config
        return 1.0 if not config.expression else 1 - config.falling_from * (1 - _PLAIN_COST)

    def __init__(self, config: FaceSwapConfig, data: SwapFaces) -> None:
        super().__init__(config, data)
        self.learned, self.held_out = data.split(_HELD_OUT)
        self._expression: ExpressionLoss | None = None

    def networks(self) -> dict[str, nn.Module]:
        """Return the encoder with both decoders."""
        swap = build_generator(self.config)
        assert isinstance(swap, SwapNet)
        arguments = {
            name: self.config.generator_args.get(name, one.default)
            for name, one in generator_spec(self.config.generator).arguments.items()
        }
        back = SwapDecoder(arguments["channels"], arguments["blocks"])
        return {"pair": _Pair(swap, back).to(memory_format=torch.channels_last)}  # type: ignore[call-overload]

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Return AdamW for all weights."""
        weights = self.parts.networks["pair"].parameters()
        optimiser = torch.optim.AdamW(weights, self.config.peak_lr, (0.9, 0.99), weight_decay=1e-4, fused=True)
        return {"generator": optimiser}

    def dataset(self, rank: int) -> SwapBatches:
        """Return warped batches."""
        config = self.config
        return SwapBatches(faces=self.learned, batch=config.batch, webcam=config.webcam, seed=config.seed, rank=rank)

    def prepare(self) -> None:
        """Load the face mesh of the expression loss."""
        if self.config.expression:
            self._expression = ExpressionLoss().to(self.parts.fabric.device)

    def step(self, batch: SwapBatch) -> dict[str, float]:
        """Train on one batch."""
        count = self.config.batch
        late = self._expression is not None and self.parts.step >= self.config.falling_from * self.config.steps
        drawn = self.parts.wrapped["pair"](self._tensor(batch.input_rgb), swaps=late).float()
        output, swaps = drawn[: 2 * count], drawn[2 * count :]
        after, weight = self._tensor(batch.after_rgb), self._tensor(batch.weight[:, :, :, None])
        weight = self._weight(weight)
        losses = {
            "l1": _mean((output - after).abs().mean(1, keepdim=True), weight),
            "ssim": _mean(dissimilarity(output, after), at_windows(weight)),
        }
        if self._expression is not None and late:
            losses["expression"] = self._expression(swaps, after[:count])
        total = torch.stack([getattr(self.config, name) * loss for name, loss in losses.items()]).sum()
        reported = {name: float(loss.detach()) for name, loss in losses.items()}
        return {**reported, "loss": self.minimise("generator", total)}

    def learning_rate(self, step: int) -> float:
        """Return the learning rate: a linear warm-up, constant, then falling linearly to zero."""
        config = self.config
        left = (config.steps - step) / max(1.0, config.steps * (1 - config.falling_from))
        return config.peak_lr * min(1.0, (step + 1) / config.warm_up_steps, left)

    @torch.inference_mode()
    def validate(self) -> Validation:
        """Score held-out faces, each by the own decoder; the newest weights are kept.

        The samples show the first person, the swap, the other person, and the other one by the own decoder.
        """
        pair, side = self._average, self.config.side_px
        one, other = (inner(faces, side) for faces in (self.held_out.one, self.held_out.other))
        scores, drawn = {}, []
        for name, faces, decoder in (("one", one, pair.back), ("other", other, pair.swap.decoder)):
            after_rgb = faces[:, :, :, :3]
            if name == "other":
                after_rgb = np.stack([skin_outside(face[:, :, :3], face[:, :, 3]) for face in faces])
            target = self._tensor(after_rgb)
            weight = self._weight(self._tensor(faces[:, :, :, 3:4]))
            output = decoder(pair.swap.encoder(self._tensor(_guided(faces))))
            scores[f"ssim_{name}"] = 1 - 2 * float(_mean(dissimilarity(output, target), at_windows(weight)))
            drawn.append(as_pictures(output))
        swapped = as_pictures(pair.swap(self._tensor(_guided(one))))
        count = min(len(one), len(other))
        rows = (one[:, :, :, :3], swapped, other[:, :, :, :3], drawn[1])
        samples = [list(row[:count]) for row in rows]
        summary = f"held-out SSIM {scores['ssim_one']:.3f} and {scores['ssim_other']:.3f}"
        return Validation(scores, samples=samples, summary=summary)

    def export(self) -> nn.Module:
        """Return the encoder with the decoder of the person who takes the place."""
        return self._average.swap

    @property
    def _average(self) -> _Pair:
        pair = self.parts.averages["pair"]
        assert isinstance(pair, _Pair)
        return pair

    def card(self) -> dict[str, Any]:
        """Return size, region, persons and their consent, data and losses for the style card."""
        faces, config = self.data, self.config
        what = f"{len(faces.one)} faces of one person, {len(faces.other)} of another"
        return {
            "size_wh": [config.side_px] * 2,
            "region": REGION,
            "output": "picture",
            "consent": {"of": list(faces.persons), "stated_by": "the person who started the training"},
            "data": self.describe_data(what),
            "losses": {name: getattr(config, name) for name in ("l1", "ssim", "features", "expression")},
        }

    def _weight(self, level: Tensor) -> Tensor:
        """Return the weight of each pixel of a level (N, 1, H, W) in 0..1; see `SwapFaces`."""
        face, features = (2 * level).clamp(0, 1), (2 * level - 1).clamp(0, 1)
        return _OUTSIDE + (1 - _OUTSIDE) * face + (self.config.features - 1) * features


def _guided(faces: ImageU8) -> ImageU8:
    """Return the network's inputs of faces (N, S, S, 5): (N, S, S, 3)."""
    return np.stack([guided(np.ascontiguousarray(face[:, :, :3]), face[:, :, 4].copy()) for face in faces])


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum()
