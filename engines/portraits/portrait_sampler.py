"""Pictures of a network from noise: samples, ways between two, tables of mixed styles, the latent of a photo."""

from __future__ import annotations

import functools
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from engines.errors import OptionsError, os_errors
from engines.text import first_line

if TYPE_CHECKING:
    from engines.painting.vgg_network import VggNetwork
    from engines.portraits.portrait_network import PortraitNetwork

ImageU8 = NDArray[np.uint8]
P = ParamSpec("P")

_BATCH = 16
_MAX_LATENTS = 10_000
COARSE_TO_FINE = (("coarse", 0, 4), ("middle", 4, 8), ("fine", 8, 18))  # layers: StyleGAN, section 3.1
_PROJECT_RATE = 0.05
_LEVELS = 4
_VARIED = {"coarse": 0.3, "fine": 0.5}  # part of other styles in the pictures of one person
_NEAR = 0.3  # the same for noise
SEEN_BY_VGG = ("conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_1")  # LPIPS, arXiv:1801.03924, section 3
_VGG_SIDE_PX = 64  # smaller pictures are enlarged for it


def drawn_latents(network: PortraitNetwork, seeds: Sequence[int]) -> Tensor:
    """Return the noise of each seed, (N, latent)."""
    rows = [torch.randn(network.net.latent, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return torch.stack(rows)


def read_latents(network: PortraitNetwork, path: Path) -> Tensor:
    """Return the noise "z" or the styles "w" of an NPZ file, (N, latent); see `is_styles`.

    Raises OptionsError if the file is not readable, or holds something else.
    """
    try:
        asked = f"--latents {path}"
        with os_errors(asked, "check the path"), path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            found = np.asarray(file["w" if "w" in file else "z"], np.float32)
    except (ValueError, KeyError, EOFError, OSError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        got = f"no NPZ file with an array z or w ({first_line(error)})"
        raise OptionsError(f"--latents {path}", got, "write it with numpy.savez(FILE, z=...)") from error
    length = network.net.latent
    if found.ndim != 2 or found.shape[1] != length or not 1 <= len(found) <= _MAX_LATENTS:
        got = f"an array of shape {'x'.join(map(str, found.shape))}"
        raise OptionsError(f"--latents {path}", got, f"{network.name} takes Nx{length}")
    if not np.isfinite(found).all():
        raise OptionsError(f"--latents {path}", "it holds NaN or infinity", "use other numbers")
    return torch.from_numpy(found)


def is_styles(path: Path) -> bool:
    """Whether a file that `read_latents` has read holds styles."""
    with np.load(path, allow_pickle=False) as file:
        return "w" in file


@torch.inference_mode()
def styles_of(network: PortraitNetwork, latents: Tensor, label: Tensor | None, truncation: float) -> Tensor:
    """Return the styles (N, latent) of noise, moved towards the mean style: StyleGAN, appendix B.

    Args:
        network: One with styles.
        latents: (N, latent).
        label: (N, classes), or None.
        truncation: 1 leaves them as they are, 0 gives the mean, with labels that of the same label.
    """
    styles: Tensor = network.net.mapped(latents, label)
    if truncation == 1:
        return styles
    if label is None:
        return torch.lerp(network.net.mean_style(), styles, truncation)
    different, which = torch.unique(label, dim=0, return_inverse=True)
    means = torch.stack([network.net.mean_style(one[None]) for one in different])
    return torch.lerp(means[which], styles, truncation)


@torch.inference_mode()
def picture_batches(
    network: PortraitNetwork,
    latents: Tensor,
    label: Tensor | None = None,
    truncation: float = 1.0,
    noise: str = "constant",
    seeds: Sequence[int] | None = None,
) -> Iterator[ImageU8]:
    """Yield the pictures of noise, (n, S, S, 3) RGB uint8, some at a time.

    Args:
        network: Any.
        latents: (N, latent).
        label: (N, classes), or None.
        truncation: See `styles_of`.
        noise: Of the layers: "none", "constant" or "random".
        seeds: Of random noise, one for each picture.
    """
    if network.styled:
        yield from style_batches(network, styles_of(network, latents, label, truncation), noise, seeds)
        return
    for first in range(0, len(latents), _BATCH):
        part = slice(first, first + _BATCH)
        yield _uint8(network.net(latents[part], None if label is None else label[part]))


@torch.inference_mode()
def style_batches(
    network: PortraitNetwork, styles: Tensor, noise: str = "constant", seeds: Sequence[int] | None = None
) -> Iterator[ImageU8]:
    """Yield the pictures of styles (N, latent), or of one style a layer (N, layers, latent); see `picture_batches`."""
    if styles.dim() == 2:
        styles = styles[:, None].expand(-1, network.net.layers, -1)
    size = 1 if noise == "random" else _BATCH  # a picture's noise does not depend on the pictures beside it
    for first in range(0, len(styles), size):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(first if seeds is None else seeds[first])
            made = _uint8((network.net.synthesis(styles[first : first + size], noise) + 1) / 2)
        yield made


def _at_once(batches: Callable[P, Iterator[ImageU8]]) -> Callable[P, ImageU8]:
    """Return the function that returns all pictures of a function that yields them some at a time."""

    @functools.wraps(batches)
    def all_pictures(*args: P.args, **kwargs: P.kwargs) -> ImageU8:
        return np.concatenate(list(batches(*args, **kwargs)))

    return all_pictures


pictures = _at_once(picture_batches)
of_styles = _at_once(style_batches)


def variations(network: PortraitNetwork, seed: int, count: int, label: Tensor | None, truncation: float) -> ImageU8:
    """Return pictures of one invented person, (N, S, S, 3) RGB uint8; the first is that of the seed.

    With styles, the others have a part of the coarse styles (pose) and of the fine ones (light, colour) of other seeds,
    and the middle ones of the person: StyleGAN, section 3.1. Without, their noise is near that of the person.

    Args:
        network: Any.
        seed: The person.
        count: N.
        label: (1, classes), or None.
        truncation: See `styles_of`.
    """
    random = torch.Generator().manual_seed(seed)
    own = drawn_latents(network, [seed])
    others = torch.cat((own, torch.randn((count - 1, network.net.latent), generator=random)))
    labels = None if label is None else label.expand(count, -1)
    if not network.styled:
        near = (1 - _NEAR**2) ** 0.5 * own + _NEAR * others[1:]  # of unit variance again
        return pictures(network, torch.cat((own, near)), labels)
    styles = styles_of(network, others, labels, truncation)
    mixed_styles = styles[:1, None].repeat(count, network.net.layers, 1)
    for name, first, end in COARSE_TO_FINE:
        if name in _VARIED:
            mixed_styles[:, first:end] = torch.lerp(styles[:1, None], styles[:, None], _VARIED[name])
    return of_styles(network, mixed_styles)


def _uint8(rgb: Tensor) -> ImageU8:
    made: ImageU8 = (rgb.float().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return made


def between(one: Tensor, other: Tensor, count: int, *, spherical: bool) -> Tensor:
    """Return points on the way from one latent (latent,) to another, (count, latent), both ends included.

    Args:
        spherical: Along a great circle, for noise: points on a line would be shorter than any noise drawn. Styles are
            mixed linearly.
    """
    share = torch.linspace(0, 1, count)[:, None]
    if not spherical:
        return torch.lerp(one, other, share)
    angle = torch.acos(F.cosine_similarity(one, other, dim=0).clamp(-0.9999, 0.9999))
    return (((1 - share) * angle).sin() * one + (share * angle).sin() * other) / angle.sin()


@torch.inference_mode()
def mixed(network: PortraitNetwork, rows: Tensor, columns: Tensor, noise: str = "constant") -> dict[str, ImageU8]:
    """Return tables of the row's picture with the column's styles, (R, C, S, S, 3): coarse, middle and fine layers.

    Args:
        network: One with styles.
        rows: Styles (R, latent).
        columns: Styles (C, latent).
        noise: See `picture_batches`.
    """
    layers, tables = network.net.layers, {}
    for name, first, end in COARSE_TO_FINE:
        if first >= layers:
            continue
        styles = rows[:, None, None].repeat(1, len(columns), layers, 1)
        styles[:, :, first:end] = columns[None, :, None]
        made = of_styles(network, styles.flatten(0, 1), noise)
        tables[name] = made.reshape(len(rows), len(columns), *made.shape[1:])
    return tables


def project(
    network: PortraitNetwork, photo_rgb: ImageU8, steps: int, seed: int, vgg: VggNetwork | None = None
) -> tuple[Tensor, float]:
    """Return the style (latent,) whose picture is nearest to a photo, and the mean error of its pixels in 0..255.

    Section 5.2 of StyleGAN2: Adam on the style, from the mean style, with noise on the style that decreases to zero.
    The distance is that of pixels at four sizes, and with VGG also that of its features, each divided by its length, as
    in LPIPS (Zhang et al., arXiv:1801.03924) without learned weights.

    Args:
        network: One with styles.
        photo_rgb: (S, S, 3) uint8 of the network's size.
        steps: Of the search.
        seed: Of the noise on the style.
        vgg: The features to compare.
    """
    net, random = network.net, torch.Generator().manual_seed(seed)
    wanted = torch.from_numpy(photo_rgb.copy()).permute(2, 0, 1)[None].float() / 255
    net.requires_grad_(False)
    with torch.no_grad():
        spread = net.mapped(torch.randn((256, net.latent), generator=random)).std(0)
        features = [] if vgg is None else _features(vgg, wanted)
    style = net.mean_style().clone().requires_grad_(True)
    optimiser = torch.optim.Adam([style], _PROJECT_RATE)
    best, least = style.detach().clone(), float("inf")
    for step in range(steps):
        moved = style + torch.randn(style.shape, generator=random) * spread * 0.05 * max(0.0, 1 - 2 * step / steps) ** 2
        made = (net.synthesis(moved.expand(1, net.layers, -1)) + 1) / 2
        loss = made.new_zeros(())
        for level in range(_LEVELS):
            size = max(1, network.side_px >> level)
            loss = loss + (F.adaptive_avg_pool2d(made, size) - F.adaptive_avg_pool2d(wanted, size)).square().mean()
        if vgg is not None:
            apart = zip(_features(vgg, made), features, strict=True)
            loss = loss + torch.stack([(one - other).square().sum(1).mean() for one, other in apart]).mean()
        value = float(loss.detach())
        if value < least and step >= steps // 2:
            best, least = style.detach().clone(), value
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    error = np.abs(of_styles(network, best[None])[0].astype(np.float32) - photo_rgb).mean()
    return best, float(error)


def _features(vgg: VggNetwork, rgb: Tensor) -> list[Tensor]:
    """Return the features of a picture (1, 3, S, S) in 0..1, of unit length at each place."""
    if rgb.shape[-1] < _VGG_SIDE_PX:
        rgb = F.interpolate(rgb, size=(_VGG_SIDE_PX, _VGG_SIDE_PX), mode="bilinear", align_corners=False)
    return [F.normalize(one, dim=1) for one in vgg(rgb, SEEN_BY_VGG).values()]
