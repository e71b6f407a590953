"""The networks that `benchmarks.peers` compares, and the regions of a real face that they are given."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from benchmarks.engine_matrix.checkout_jobs import jobs
from engines.generators.animegan2_net import AnimeGan2
from engines.generators.autoretouch import AutoRetouch
from engines.generators.cyclegan_net import CycleGan
from engines.generators.photo2cartoon_net import Photo2Cartoon
from engines.generators.pix2pix import Pix2Pix
from engines.generators.ugatit_net import UGatItLight
from engines.regions.lips_region import lips_region
from engines.regions.upright import PictureRegion, face_box
from engines.training.metrics.model_cost import gmac, parameters
from live.pipeline.frame import ImageU8
from live.portrait import portrait_bgr
from live.render.look_sheet import find_faces

OURS = "toon_net"  # what the others' times are divided by


@dataclass(frozen=True)
class Peer:
    """One network at its size.

    Attributes:
        name: in the table and for `--net`.
        source: where it is from.
        region: "head" or "lips".
        size_wh: the crop that it takes.
        weights: "shipped" or "random".
        make: the module in FP32 on the CPU, for evaluation.
        own: the program's style that it is, and its size; None for other people's.
    """

    name: str
    source: str
    region: str
    size_wh: tuple[int, int]
    weights: str
    make: Callable[[], nn.Module]
    own: tuple[str, tuple[int, int]] | None = None


@dataclass(frozen=True)
class Made:
    """A network with its weights, and what it costs for one region.

    Attributes:
        region_bgr: (1, H, W, 3) uint8, what it is given.
    """

    peer: Peer
    net: nn.Module
    region_bgr: ImageU8
    gmac: float
    parameters: int


def _shipped(style: str, size_wh: tuple[int, int]) -> Callable[[], nn.Module]:
    """A style as it comes with the program, whatever the user has trained under the same name."""
    return lambda: next(job.net for job in jobs() if (job.name, job.size_wh) == (style, size_wh))


def _fresh(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """With random weights, the same in every run."""

    def fresh() -> nn.Module:
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(0)
            return make().eval()

    return fresh


def _head(name: str, source: str, make: Callable[[], nn.Module]) -> Peer:
    return Peer(name, source, "head", (256, 256), "random", _fresh(make))


def _ours(name: str, style: str, region: str, size_wh: tuple[int, int]) -> Peer:
    source, own = f"this project, style {style}", (style, size_wh)
    return Peer(name, source, region, size_wh, "shipped", _shipped(style, size_wh), own)


_ALL = (  # ours first, then by GMAC
    _ours(OURS, "toon", "head", (256, 256)),
    _ours("lip_net", "lips-glaze", "lips", (90, 30)),
    _head("pix2pix", "U-Net of Isola et al. 2017, arXiv:1611.07004", lambda: Pix2Pix(depth=8)),
    _head("photo2cartoon", "Minivision 2020, github.com/minivision-ai/photo2cartoon", Photo2Cartoon),
    _head("animegan2", "Chen 2020, github.com/TachibanaYoshino/AnimeGANv2", AnimeGan2),
    _head("cyclegan", "ResNet-9 of Zhu et al. 2017, arXiv:1703.10593", CycleGan),
    _head("ugatit_light", "Kim et al. 2020, arXiv:1907.10830", UGatItLight),
    _head("autoretouch", "Shafaei et al., WACV 2021", AutoRetouch),
)
PEERS = {peer.name: peer for peer in _ALL}


def regions_bgr() -> dict[tuple[str, tuple[int, int]], ImageU8]:
    """NASA's portrait cut as live cuts it, by region and size: (1, H, W, 3) BGR uint8 each.

    Raises:
        SourceError: the portrait is not there.
        TrackingError: no face model.
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
            box = face_box(landmarks_xy, peer.region)
            assert box is not None, "the portrait's face is large enough"
            crop_bgr = PictureRegion(box, peer.size_wh, frame_wh).crop(frame_bgr)
        cut[peer.region, peer.size_wh] = np.ascontiguousarray(crop_bgr[None])
    return cut


def made(peer: Peer, region_bgr: ImageU8) -> Made:
    """Build a network, and count what it costs without computing anything."""
    net = peer.make()
    return Made(peer, net, region_bgr, gmac(copy.deepcopy(net).to("meta"), peer.size_wh), parameters(net))
