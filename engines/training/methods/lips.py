"""Training of the lip network on pixel-aligned pairs of lip crops: cross-validation, the final network, its card."""

from __future__ import annotations

import datetime
import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.errors import EngineError, OptionsError
from engines.generators.lip_net import LipNet
from engines.training.data.picture_pairs import ImageU8, psnr_db, read_pairs, split_folds
from engines.training.optimisers.soap import Soap

CROP_SIZE_WH = (90, 30)
BEFORE = "bare"
_CLEARLY = 60  # levels, summed over the three colours


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one network is trained; what was tried beside it scored lower in cross-validation.

    Attributes:
        epochs: times every pair is seen.
        batch: pairs a step.
        peak_lr: the step size after `warm_up_steps`, from where it falls along a half cosine to nothing.
        averaging: decay of the running mean of the weights, which is the network that is kept.
        lit_share: share of the pairs shown in another light, before and after alike, so that the change follows it.
        gain: the range of that light, as a factor.
        tint: how much each colour may differ from it, as a factor of 1 - tint to 1 + tint.
    """

    epochs: int = 90
    batch: int = 4
    peak_lr: float = 5e-3
    warm_up_steps: int = 50
    averaging: float = 0.998
    lit_share: float = 0.3
    gain: tuple[float, float] = (0.35, 1.15)
    tint: float = 0.08


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Lip crops before and after, (N, 30, 90, 3) RGB uint8, and where they come from.

    Attributes:
        style: the folder of the painted ones.
        terms: what TERMS.txt beside the folders says.
    """

    style: str
    before_rgb: ImageU8
    after_rgb: ImageU8
    terms: str

    def digest(self) -> str:
        """SHA-256 of all pixels, in the order of the file names."""
        return hashlib.sha256(self.before_rgb.tobytes() + self.after_rgb.tobytes()).hexdigest()

    def lips_mean_bgr(self) -> list[float]:
        """Mean colour (0..255) of the bare lips, which are what the paint changed clearly."""
        change = np.abs(self.after_rgb.astype(np.int16) - self.before_rgb).sum(3)  # N, 30, 90
        painted = change > _CLEARLY if (change > _CLEARLY).any() else np.full(change.shape, True)
        return [round(float(level), 1) for level in self.before_rgb[painted].mean(0)[::-1]]


def load_pairs(data: Path, style: str) -> list[Pairs]:
    """The pairs DATA/bare -> DATA/STYLE; for "all", of every folder beside `bare`.

    Raises:
        OptionsError: a folder, a partner or a picture is missing, unreadable or of the wrong size.
    """
    try:
        found = sorted(path.name for path in data.iterdir() if path.is_dir() and path.name[0] != ".")
    except OSError as error:
        do = f"name the folder that holds {BEFORE}/ and one folder for each painted style"
        raise OptionsError(f"lip pairs in {data}", error.strerror or str(error), do) from error
    painted = [name for name in found if name != BEFORE]
    styles = painted if style == "all" else [style]
    if BEFORE not in found or not styles or not set(styles) <= set(painted):
        asked = f"folders {BEFORE}/ and {'one for each style' if style == 'all' else style + '/'} in {data}"
        raise OptionsError(
            asked, f"it holds {', '.join(found) or 'no folders'}", "pairs have the same file name in both"
        )
    try:
        terms = " ".join((data / "TERMS.txt").read_text(encoding="utf-8", errors="replace").split())
    except OSError:
        terms = "not stated"
    return [Pairs(name, *read_pairs(data / BEFORE, data / name, CROP_SIZE_WH), terms) for name in styles]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums in one order only, so that the same seed gives the same bytes whatever the number of cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _as_tensor(pictures_rgb: ImageU8) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pictures_rgb.transpose(0, 3, 1, 2))).float() / 255  # N, 3, 30, 90


def fit(before_rgb: ImageU8, after_rgb: ImageU8, recipe: Recipe, *, seed: int, on_epoch: Callable[[], None]) -> LipNet:
    """Train one network on pairs of (N, H, W, 3) RGB uint8 by the mean squared error of crop plus change.

    Raises:
        EngineError: the loss is no longer a number.
    """
    before, after = _as_tensor(before_rgb), _as_tensor(after_rgb)
    dice = torch.Generator().manual_seed(seed)
    with _one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = LipNet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        mean = torch.optim.swa_utils.AveragedModel(net, avg_fn=_averaging(recipe.averaging))
        optimizer = Soap(net.parameters(), lr=recipe.peak_lr)
        steps = recipe.epochs * math.ceil(len(before) / recipe.batch)
        step = 0
        for _ in range(recipe.epochs):
            for chosen in torch.split(torch.randperm(len(before), generator=dice), recipe.batch):
                optimizer.param_groups[0]["lr"] = _lr(step, steps, recipe)
                crop, painted = _augmented(before[chosen], after[chosen], recipe, dice)
                loss = (net(crop) + crop - painted).square().mean()
                if not math.isfinite(loss.item()):
                    raise EngineError("training", f"the loss is {loss.item()} after {step} steps", "try another --seed")
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                mean.update_parameters(net)
                step += 1
            on_epoch()
        kept = LipNet()
    kept.load_state_dict(mean.module.state_dict())
    return kept.eval()


def _averaging(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    def average(mean: Tensor, new: Tensor, seen: Tensor | int) -> Tensor:
        share = min(decay, (int(seen) + 1) / (int(seen) + 10))  # forget the first steps soon
        return torch.lerp(mean, new, 1 - share)

    return average


def _lr(step: int, steps: int, recipe: Recipe) -> float:
    return recipe.peak_lr * min(1.0, (step + 1) / recipe.warm_up_steps) * 0.5 * (1 + math.cos(math.pi * step / steps))


def _augmented(crop: Tensor, painted: Tensor, recipe: Recipe, dice: torch.Generator) -> tuple[Tensor, Tensor]:
    """Half the pairs mirrored, some in another light; before and after always alike."""
    shape = (len(crop), 1, 1, 1)
    mirrored = torch.rand(shape, generator=dice) < 0.5
    lit = torch.rand(shape, generator=dice) < recipe.lit_share
    low, high = recipe.gain
    gain = low + (high - low) * torch.rand(shape, generator=dice)
    tint = 1 + recipe.tint * (2 * torch.rand((len(crop), 3, 1, 1), generator=dice) - 1)
    light = torch.where(lit, gain * tint, 1.0)  # N, 3, 1, 1
    crop, painted = (torch.where(mirrored, pictures.flip(3), pictures) * light for pictures in (crop, painted))
    return crop.contiguous(memory_format=torch.channels_last), painted


def scores_db(net: LipNet, before_rgb: ImageU8, after_rgb: ImageU8) -> NDArray[np.float64]:
    """PSNR of every picture as it would be shown: clipped, rounded to uint8, peak 255."""
    with _one_thread(), torch.inference_mode():
        crop = _as_tensor(before_rgb)
        painted = ((crop + net(crop)).clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return np.array([psnr_db(one, other) for one, other in zip(painted, after_rgb, strict=True)])


def train(
    pairs: Pairs, recipe: Recipe, *, folds: int, seed: int, on_epoch: Callable[[], None]
) -> tuple[LipNet, dict[str, Any]]:
    """Cross-validate the recipe, then train on all pairs by the same recipe.

    Returns the network of all pairs and the scores: `cv_psnr_db` is the mean over pictures, each painted by the one
    network that never saw it. `on_epoch` is called `(folds + 1) * recipe.epochs` times.

    Raises:
        OptionsError: more folds than pairs, or fewer than two.
        EngineError: the training ran away.
    """
    before, after = pairs.before_rgb, pairs.after_rgb
    if not 2 <= folds <= len(before):
        raise OptionsError(
            f"{folds} folds", f"{len(before)} pairs of style {pairs.style!r}", "at least 2, at most one a pair"
        )
    unseen_db = np.zeros(len(before))
    per_fold_db: list[float] = []
    for held_out in split_folds(before, folds, seed=seed):
        learned = np.setdiff1d(np.arange(len(before)), held_out)
        net = fit(before[learned], after[learned], recipe, seed=seed, on_epoch=on_epoch)
        unseen_db[held_out] = scores_db(net, before[held_out], after[held_out])
        per_fold_db.append(round(float(unseen_db[held_out].mean()), 2))
    net = fit(before, after, recipe, seed=seed, on_epoch=on_epoch)
    untouched_db = np.array([psnr_db(one, other) for one, other in zip(before, after, strict=True)])
    return net, {
        "cv_psnr_db": round(float(unseen_db.mean()), 2),
        "cv_worst_picture_psnr_db": round(float(unseen_db.min()), 2),
        "cv_psnr_db_per_fold": per_fold_db,
        "folds": folds,
        "seen_psnr_db": round(float(scores_db(net, before, after).mean()), 2),
        "identity_psnr_db": round(float(untouched_db.mean()), 2),
    }


def card(pairs: Pairs, scores: dict[str, Any], recipe: Recipe, *, seed: int) -> dict[str, Any]:
    """What the style says of itself beside its weights: how to apply it, the data and its terms, seed, scores, date."""
    weights = sum(parameter.numel() for parameter in LipNet().parameters())
    macs_a_pixel = sum(parameter.numel() for parameter in LipNet().parameters() if parameter.ndim > 1)
    return {
        "name": f"lips-{pairs.style}",
        "generator": "lip_net",
        "region": "lips",
        "size_wh": list(CROP_SIZE_WH),
        "lips_mean_bgr": pairs.lips_mean_bgr(),
        "data": {
            "what": f"{len(pairs.before_rgb)} pixel-aligned pairs of lip crops, {BEFORE} -> {pairs.style}",
            "terms": pairs.terms,
            "pictures_included": False,
            "pixels_sha256": pairs.digest(),
        },
        "seed": seed,
        "epochs": recipe.epochs,
        "recipe": asdict(recipe),
        "scores": scores,
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "parameters": weights,
        "gmac": round(macs_a_pixel * CROP_SIZE_WH[0] * CROP_SIZE_WH[1] / 1e9, 4),
    }
