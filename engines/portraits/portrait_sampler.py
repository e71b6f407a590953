"""Pictures of a network from noise: samples, ways between two, tables of mixed styles, the latent of a photo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from engines.errors import OptionsError, os_errors
from engines.text import first_line

if TYPE_CHECKING:
    from engines.portraits.portrait_network import PortraitNetwork

ImageU8 = NDArray[np.uint8]

_BATCH = 16
_MAX_LATENTS = 10_000
COARSE_TO_FINE = (("coarse", 0, 4), ("middle", 4, 8), ("fine", 8, 18))  # layers: StyleGAN, section 3.1
_PROJECT_RATE = 0.05
_LEVELS = 4


def drawn_latents(network: PortraitNetwork, count: int, seed: int) -> Tensor:
    """Return noise (N, latent). The first rows of a seed do not depend on the count."""
    rows = [torch.randn(network.net.latent, generator=torch.Generator().manual_seed(seed + i)) for i in range(count)]
    return torch.stack(rows)


def read_latents(network: PortraitNetwork, path: Path) -> Tensor:
    """Return the noise "z" or the styles "w" of an NPZ file, (N, latent); see `is_styles`.

    Raises OptionsError if the file is not readable, or holds something else.
    """
    try:
        with os_errors(f"--latents {path}", "check the path"), np.load(path, allow_pickle=False) as file:
            found = np.asarray(file["w" if "w" in file else "z"], np.float32)
    except (ValueError, KeyError, EOFError, OSError, TypeError) as error:
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
        truncation: 1 leaves them as they are, 0 gives the mean for all.
    """
    styles: Tensor = network.net.mapped(latents, None if label is None else label.expand(len(latents), -1))
    return torch.lerp(network.net.mean_style(label), styles, truncation)


@torch.inference_mode()
def pictures(
    network: PortraitNetwork, latents: Tensor, label: Tensor | None, truncation: float = 1.0, noise: str = "constant"
) -> ImageU8:
    """Return pictures (N, S, S, 3) RGB uint8 of noise (N, latent)."""
    made = []
    for part in torch.split(latents, _BATCH):
        if network.styled:
            made.append(of_styles(network, styles_of(network, part, label, truncation), noise))
        else:
            made.append(_uint8(network.net(part, None if label is None else label.expand(len(part), -1))))
    return np.concatenate(made)


@torch.inference_mode()
def of_styles(network: PortraitNetwork, styles: Tensor, noise: str = "constant") -> ImageU8:
    """Return pictures (N, S, S, 3) RGB uint8 of styles (N, latent), or of one style a layer (N, layers, latent)."""
    if styles.dim() == 2:
        styles = styles[:, None].expand(-1, network.net.layers, -1)
    return np.concatenate(
        [_uint8((network.net.synthesis(part, noise) + 1) / 2) for part in torch.split(styles, _BATCH)]
    )


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
def mixed(network: PortraitNetwork, rows: Tensor, columns: Tensor) -> dict[str, ImageU8]:
    """Return tables of the row's picture with the column's styles, (R, C, S, S, 3): coarse, middle and fine layers.

    Args:
        network: One with styles.
        rows: Styles (R, latent).
        columns: Styles (C, latent).
    """
    layers, tables = network.net.layers, {}
    for name, first, end in COARSE_TO_FINE:
        if first >= layers:
            continue
        styles = rows[:, None, None].repeat(1, len(columns), layers, 1)
        styles[:, :, first:end] = columns[None, :, None]
        made = of_styles(network, styles.flatten(0, 1))
        tables[name] = made.reshape(len(rows), len(columns), *made.shape[1:])
    return tables


def project(network: PortraitNetwork, photo_rgb: ImageU8, steps: int, seed: int) -> tuple[Tensor, float]:
    """Return the style (latent,) whose picture is nearest to a photo, and the mean error of its pixels in 0..255.

    Section 5.2 of StyleGAN2, with pixels at four sizes instead of LPIPS: Adam on the style, from the mean style, with
    noise on the style that decreases to zero.

    Args:
        network: One with styles.
        photo_rgb: (S, S, 3) uint8 of the network's size.
        steps: Of the search.
        seed: Of the noise on the style.
    """
    net, random = network.net, torch.Generator().manual_seed(seed)
    wanted = torch.from_numpy(photo_rgb.copy()).permute(2, 0, 1)[None].float() / 255
    net.requires_grad_(False)
    with torch.no_grad():
        spread = net.mapped(torch.randn((256, net.latent), generator=random)).std(0)
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
        value = float(loss.detach())
        if value < least and step >= steps // 2:
            best, least = style.detach().clone(), value
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    error = np.abs(of_styles(network, best[None])[0].astype(np.float32) - photo_rgb).mean()
    return best, float(error)
