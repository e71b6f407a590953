"""The networks that `benchmarks.peers` compares, and their inputs: regions of a real face."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from benchmarks.engine_matrix.checkout_jobs import jobs
from engines.generators.registry import fresh_generator, generator_spec
from engines.regions.lips_region import lips_region
from engines.regions.upright import picture_region
from live.pipeline.frame import ImageU8
from live.portrait import portrait_bgr
from live.render.look_sheet import find_faces

OURS = "toon_net"  # the baseline of the relative times


@dataclass(frozen=True)
class Peer:
    """One network at its input size: name for `--net`, publication or style, and region ("head" or "lips").

    Attributes:
        weights: "shipped" or "random".
        make: Builds the module in FP32 on the CPU, in evaluation mode.
        own: Style and size of this project's networks; None for others.
    """

    name: str
    source: str
    region: str
    size_wh: tuple[int, int]
    weights: str
    make: Callable[[], nn.Module]
    own: tuple[str, tuple[int, int]] | None = None


def _published(name: str, **arguments: int) -> Peer:
    """A published network with random weights, the same in every run."""

    def make() -> nn.Module:
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(0)
            return fresh_generator(name, arguments).eval()

    return Peer(name, generator_spec(name).paper, "head", (256, 256), "random", make)


def _ours(name: str, style: str, region: str, size_wh: tuple[int, int]) -> Peer:
    """A shipped style, even if the user has trained another one of the same name."""

    def make() -> nn.Module:
        return next(job.net for job in jobs() if (job.name, job.size_wh) == (style, size_wh))

    return Peer(name, f"this project, style {style}", region, size_wh, "shipped", make, (style, size_wh))


_ALL = (  # this project's first, then by GMAC
    _ours(OURS, "toon", "head", (256, 256)),
    _ours("lip_net", "lips-glaze", "lips", (90, 30)),
    _published("pix2pix", depth=8),
    *map(_published, ("photo2cartoon", "animegan2", "cyclegan", "ugatit_light", "autoretouch")),
)
PEERS = {peer.name: peer for peer in _ALL}


def regions_bgr() -> dict[tuple[str, tuple[int, int]], ImageU8]:
    """Return the regions of the built-in portrait, cut as in `live`, by region and size: (1, H, W, 3) uint8 each.

    Raises SourceError or TrackingError if the portrait or the face model is missing.
    """
    frame_bgr = portrait_bgr()
    frame_wh = frame_bgr.shape[1], frame_bgr.shape[0]
    landmarks_xy = find_faces(frame_bgr)[0].landmarks_xy
    cut: dict[tuple[str, tuple[int, int]], ImageU8] = {}
    for peer in PEERS.values():
        if peer.region == "lips":
            lips = lips_region(landmarks_xy, frame_bgr, size_wh=peer.size_wh)
            assert lips is not None, "the portrait's mouth can be painted"
            crop_bgr = lips.crop(frame_bgr)
        else:
            region = picture_region(peer.region, landmarks_xy, peer.size_wh, frame_wh)
            assert region is not None, "the portrait's face is large enough"
            crop_bgr = region.crop(frame_bgr)
        cut[peer.region, peer.size_wh] = np.ascontiguousarray(crop_bgr[None])
    return cut
