"""Painted: a live look from one picture without VGG; the transfer network paints the photos, which are then pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from typer import Option

from engines.painting.transfer_file import kept_digest
from engines.regions.upright import FRAME_REGIONS
from engines.styles import FACE_SIZE_WH, FRAME_SIZE_WH
from engines.training.data.paired_dataset import PairedDataset
from engines.training.method import register
from engines.training.methods.paired import PairedMethod
from engines.training.style_file_config import StyleFileConfig


@dataclass(frozen=True, kw_only=True)
class PaintedConfig(StyleFileConfig):
    """Config of a look from painted photos.

    Attributes:
        worn_on: Region of the style, that of --region.
    """

    worn_on: str = "frame"
    strokes: Annotated[float, Option(help="Size of the style picture, in sizes of the photo.", min=0.1, max=4)] = 1.0
    even: Annotated[float, Option(help="Share of the glow around heads that is taken away.", min=0, max=1)] = 1.0
    keep_colours: Annotated[
        float, Option("--keep-colours", help="Share of the photo in the colours.", min=0, max=1)
    ] = 0.35
    keep_light: Annotated[
        float, Option("--keep-light", help="Share of the photo in the lightness of wide areas.", min=0, max=1)
    ] = 0.0
    temporal: Annotated[float, Option(help="Weight of the stability from frame to frame.", min=0)] = 0.3
    webcam: Annotated[float, Option(help="Degradation of the inputs as by a webcam.", min=0, max=1)] = 0.45
    relit: Annotated[float, Option(help="Share of relit pairs.", min=0, max=1)] = 0.2
    steps: Annotated[int, Option(help="Training steps.", min=1, max=10**9)] = 1000
    batch: Annotated[int, Option(help="Batch size.", min=1)] = 8
    peak_lr: Annotated[float, Option("--lr", help="Peak learning rate.", min=0)] = 4e-3
    ema_decay: float = 0.997
    max_held_out: int = 8


@register
class Painted(PairedMethod[PaintedConfig]):
    """Paired training on photos and their paintings by the network of Wang et al., arXiv:2211.15313."""

    name = "painted"
    config_class = PaintedConfig
    data_kind = "style"
    data: PairedDataset

    def card(self) -> dict[str, Any]:
        """Return the card of paired training with the style picture and the network that painted."""
        assert self.config.style_file is not None
        return {
            **super().card(),
            "size_wh": list(FRAME_SIZE_WH if self.config.worn_on in FRAME_REGIONS else FACE_SIZE_WH),
            "style_picture": {"file": self.config.style_file.name, "sha256": self.config.style_sha256},
            "teacher": f"transfer network, SHA-256 {kept_digest()}",
        }
