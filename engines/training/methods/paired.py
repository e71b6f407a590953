"""The networks of one run and one step of learning; knows nothing of files, screens or time."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from engines.errors import OptionsError
from engines.training import checkpoint
from engines.training.data.augmentation import Batch
from engines.training.data.paired_dataset import Pairs
from engines.training.data.picture_pairs import ImageU8, psnr_db
from engines.training.losses import image_losses
from engines.training.optimisers.muon import build_optimiser, lr_at
from engines.training.outcome import DO_ANEW, DivergedError
from engines.training.recipe import Recipe, build_generator

_PENALTY = 10.0  # of WGAN-GP, as in its paper


class Learner:
    """A generator, its running mean, its optimiser, and the judge where the recipe is adversarial.

    Args:
        recipe: what to learn and how.
        fabric: where, and in which precision.
        vgg: weights of VGG-19, wanted where the recipe is perceptual.

    Raises:
        OptionsError: the generator or the VGG file is not usable.
    """

    def __init__(self, recipe: Recipe, fabric: Fabric, vgg: Path | None = None) -> None:
        self.recipe, self.fabric = recipe, fabric
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            net = build_generator(recipe).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            judge = _judge(recipe.objectives.gan) if recipe.objectives.adversarial else None
        self.net: nn.Module = net
        self.optimiser = build_optimiser(net, recipe)
        self._run, self._steps = fabric.setup(net, self.optimiser)
        self.mean: nn.Module = copy.deepcopy(net).requires_grad_(False).eval()
        self.judge, self.judge_optimiser = judge, None
        if judge is not None:
            self.judge_optimiser = torch.optim.Adam(judge.parameters(), 2e-4, (0.5, 0.999))
            self._run_judge, self._steps_judge = fabric.setup(judge, self.judge_optimiser)
        self.vgg = image_losses.VggFeatures(vgg).to(fabric.device) if recipe.objectives.perceptual and vgg else None

    def fits(self, size_wh: tuple[int, int]) -> None:
        """Try a picture of that size.

        Raises:
            OptionsError: the generator does not take it.
        """
        width, height = size_wh
        try:
            with torch.inference_mode():
                made = self.mean(torch.zeros((1, 3, height, width), device=self.fabric.device))
        except RuntimeError as error:
            raise self._misfit(size_wh) from error
        if made.shape != (1, 3, height, width):
            raise self._misfit(size_wh)

    def _misfit(self, size_wh: tuple[int, int]) -> OptionsError:
        asked = f"{self.recipe.generator} on pictures or crops of {size_wh[0]}x{size_wh[1]}"
        return OptionsError(asked, "its layers halve them more often than they can be halved", "use multiples of 8")

    def begin_with(self, start: nn.Module) -> None:
        """Take over a generator's weights.

        Raises:
            OptionsError: it is of another kind, or has other arguments.
        """
        try:
            for net in (self.net, self.mean):
                net.load_state_dict(start.state_dict())
        except RuntimeError as error:
            got = "it is another generator, or has other arguments"
            raise OptionsError("weights to begin with", got, "train from the start, or name another style") from error

    def step(self, batch: Batch, step: int) -> dict[str, float]:
        """Learn from one batch; returns each part of the loss, and "loss", their weighted sum.

        Raises:
            DivergedError: the loss is not finite; the weights are as they were before.
        """
        torch.manual_seed(hash((self.recipe.seed, self.fabric.global_rank, step)) % 2**63)  # what dropout drops
        for group in self.optimiser.param_groups:
            group["lr"] = lr_at(step, self.recipe)
        before, after = (self._tensor(pictures) for pictures in (batch.before, batch.after))
        made = self._picture(self._run, before)
        parts = self._parts(before, made, after, batch)
        weights = self.recipe.objectives
        loss = torch.stack([getattr(weights, name) * part for name, part in parts.items()]).sum()
        told = {name: float(part.detach()) for name, part in parts.items()} | {"loss": float(loss.detach())}
        if not math.isfinite(told["loss"]):
            raise DivergedError("training", f"the loss is {told['loss']} at step {step + 1}", DO_ANEW)
        self.optimiser.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        self._steps.step()
        self._average(step)
        if self.judge is not None:
            told["judge"] = self._teach_judge(before, made.detach(), after, step)
        return told

    def _parts(self, before: Tensor, made: Tensor, after: Tensor, batch: Batch) -> dict[str, Tensor]:
        wanted = self.recipe.objectives
        parts: dict[str, Tensor] = {}
        if wanted.l1:
            parts["l1"] = image_losses.l1(made, after)
        if wanted.gradient:
            parts["gradient"] = image_losses.gradient(made, after)
        if wanted.temporal and batch.shift_xy is not None:
            parts["temporal"] = image_losses.temporal(made, torch.from_numpy(batch.shift_xy).to(made.device))
        if self.vgg is not None:
            with self.fabric.autocast():
                parts["perceptual"] = image_losses.perceptual(self.vgg, made, after)
        if self.judge is not None:
            with self.fabric.autocast():  # past the wrapper: here the judge learns nothing
                parts["adversarial"] = image_losses.adversarial(self.judge(before, made).float(), wanted.gan)
        return parts

    def _teach_judge(self, before: Tensor, made: Tensor, after: Tensor, step: int) -> float:
        kind, judge, optimiser = self.recipe.objectives.gan, self.judge, self.judge_optimiser
        assert judge is not None
        assert optimiser is not None
        verdicts = self._run_judge(torch.cat((before, before)), torch.cat((made, after)))
        on_made, on_wanted = verdicts.chunk(2)
        loss = image_losses.judging(on_made, on_wanted, kind)
        if kind == "wgan-gp":
            dice = np.random.default_rng((self.recipe.seed, self.fabric.global_rank, step, 1))
            share = torch.from_numpy(dice.random((len(made), 1, 1, 1), np.float32)).to(made.device)
            loss = loss + _PENALTY * image_losses.gradient_penalty(judge, before, made, after, share)
        if not math.isfinite(float(loss.detach())):
            got = f"the discriminator's loss is {float(loss.detach())} at step {step + 1}"
            raise DivergedError("training", got, DO_ANEW)
        optimiser.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        self._steps_judge.step()
        return float(loss.detach())

    def _picture(self, run: Any, before: Tensor) -> Tensor:
        made: Tensor = run(before).float()
        return before + made if self.recipe.output == "change" else made

    def _tensor(self, pictures_rgb: ImageU8) -> Tensor:
        pictures = torch.from_numpy(pictures_rgb).to(self.fabric.device).permute(0, 3, 1, 2)
        return pictures.to(torch.float32, memory_format=torch.channels_last) / 255

    @torch.no_grad()
    def _average(self, step: int) -> None:
        decay = min(self.recipe.averaging, (step + 1) / (step + 10))  # forget the first steps soon
        torch._foreach_lerp_(list(self.mean.parameters()), list(self.net.parameters()), 1 - decay)
        for mean, new in zip(self.mean.buffers(), self.net.buffers(), strict=True):
            mean.copy_(new.lerp(mean, decay) if new.is_floating_point() else new)

    def finite(self) -> bool:
        """Whether all weights of the running mean are."""
        tensors = [tensor for tensor in self.mean.state_dict().values() if tensor.is_floating_point()]
        return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)

    def finished(self, before_rgb: ImageU8, *, at_once: int = 8) -> Iterator[ImageU8]:
        """The running mean's pictures (H, W, 3) as they would be shown: in FP32, clipped, rounded."""
        with torch.inference_mode():
            for i in range(0, len(before_rgb), at_once):
                made = self._picture(self.mean, self._tensor(before_rgb[i : i + at_once]))
                yield from (made.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()

    def scores(self, pairs: Pairs) -> dict[str, float]:
        """PSNR (dB) and mean absolute difference (of 255) to the targets, and the untouched inputs' PSNR; means."""
        made = list(self.finished(pairs.before_rgb))
        off = [np.abs(one.astype(np.int16) - other).mean() for one, other in zip(made, pairs.after_rgb, strict=True)]
        return {
            "held_out_psnr_db": _mean_psnr_db(made, pairs.after_rgb),
            "held_out_l1_of_255": float(np.mean(off)),
            "unpainted_psnr_db": _mean_psnr_db(pairs.before_rgb, pairs.after_rgb),
        }

    def packed(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that the next step depends on: tensors, and plain numbers."""
        tensors = checkpoint.pack_module("net", self.net) | checkpoint.pack_module("mean", self.mean)
        memory, numbers = checkpoint.pack_optimiser("optimiser", self.optimiser)
        tensors |= memory
        if self.judge is not None and self.judge_optimiser is not None:
            memory, more = checkpoint.pack_optimiser("judge_optimiser", self.judge_optimiser)
            tensors |= memory | checkpoint.pack_module("judge", self.judge)
            numbers |= more
        return tensors, numbers

    def unpack(self, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
        """Put back what `packed` gave."""
        checkpoint.unpack_module("net", self.net, tensors)
        checkpoint.unpack_module("mean", self.mean, tensors)
        checkpoint.unpack_optimiser("optimiser", self.optimiser, tensors, numbers)
        if self.judge is not None and self.judge_optimiser is not None:
            checkpoint.unpack_module("judge", self.judge, tensors)
            checkpoint.unpack_optimiser("judge_optimiser", self.judge_optimiser, tensors, numbers)


def _mean_psnr_db(made: Any, wanted: Any) -> float:
    return float(np.mean([psnr_db(one, other) for one, other in zip(made, wanted, strict=True)]))


def _judge(kind: str) -> nn.Module:
    from engines.discriminators.patch_gan import PatchGan

    return PatchGan(norm=kind != "wgan-gp").to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
