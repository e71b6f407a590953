"""One layer on one frame: what is painted, where, and by which engine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from engines.drawing.plane_set import CHANNELS
from engines.drawing.steady_pictures import SteadyPictures
from engines.errors import EngineError
from engines.regions.masks import region_mask
from engines.regions.temporal_filter import TemporalFilter
from engines.regions.upright import FRAME_REGIONS, PictureRegion, picture_region
from engines.regions.workspace import Workspace
from engines.styles import Style
from live.pipeline.frame import Face, Floats, ImageU8
from live.render.look_loader import LoadedLayer

PictureKey = tuple[str, int | None]  # layer with style and region, and id of the face; None for the whole frame


@dataclass(slots=True)
class PaintStats:
    """The result of painting one frame.

    Attributes:
        region_ms: time of the first stage; the others likewise.
        bare_faces: number of faces that a layer missed.
        drawn: regions that were drawn, with their masks.
    """

    region_ms: float = 0.0
    generate_ms: float = 0.0
    composite_ms: float = 0.0
    bare_faces: int = 0
    drawn: list[PictureRegion] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PaintJob:
    """One layer on one frame."""

    frame_bgr: ImageU8
    faces: tuple[Face, ...]
    filters: list[TemporalFilter]
    layer: LoadedLayer
    strength: float
    at_s: float
    person: ImageU8 | None
    workspace: Workspace
    index: int
    steady: dict[PictureKey, SteadyPictures]
    last_bgr: dict[PictureKey, ImageU8]
    stats: PaintStats
    live: bool
    outlined: ImageU8 | None

    def key(self, face: Face | None) -> PictureKey:
        """Return under what the layer's last pictures of a face, or of the frame, are kept."""
        return f"layer {self.index}: {self.style.name} on {self.style.region}", None if face is None else face.face_id

    def steadied(
        self,
        region: PictureRegion,
        face: Face | None,
        pictures: tuple[ImageU8, ...],
        at_s: float | None = None,
        thumbnail: ImageU8 | None = None,
    ) -> tuple[ImageU8, ...]:
        """Return and keep what the network drew of a region, steadied by its last pictures; they move with the face."""
        key, centre = self.key(face), (0.5, 0.5)
        if face is not None:
            x, y = region.landmarks(face.landmarks_xy).mean(0) / region.size_wh
            centre = float(x), float(y)
        values = pictures, centre, self.at_s if at_s is None else at_s, thumbnail
        last = self.steady.get(key)
        self.steady[key] = SteadyPictures(*values) if last is None else last.followed_by(*values)
        return self.steady[key].pictures

    @property
    def style(self) -> Style:
        """The style of a layer with an engine."""
        assert isinstance(self.layer.style, Style)
        return self.layer.style


def infer(layer: LoadedLayer, crops_bgr: list[ImageU8]) -> Floats:
    """Run the layer's engine on all crops at once; `HotSwapEngine` has checked that the output is finite."""
    assert layer.engine is not None
    regions_bgr = crops_bgr[0][None] if len(crops_bgr) == 1 else np.stack(crops_bgr)
    output: object = layer.engine.infer(regions_bgr)
    count, height, width, _ = regions_bgr.shape
    if isinstance(layer.style, Style):
        width, height = layer.style.size_wh
    expected = (count, CHANNELS, height // 2, width // 2) if layer.medium else (count, height, width, 3)
    if not isinstance(output, np.ndarray) or output.shape != expected or output.dtype != np.float32:
        got = f"shape {output.shape}, {output.dtype}" if isinstance(output, np.ndarray) else type(output).__name__
        info = layer.engine.info
        raise EngineError(f"style {info.style}", f"{info.runtime} gave {got} for {regions_bgr.shape}")
    return output


def picture_regions(job: PaintJob, *, masked: bool = True) -> list[tuple[PictureRegion, Face | None]]:
    """Return the layer's regions, with their masks if `masked`; those of faces with the face."""
    style = job.style
    kind, frame_wh = style.region, (job.frame_bgr.shape[1], job.frame_bgr.shape[0])
    places: Iterable[tuple[Face | None, TemporalFilter | None]] = zip(job.faces, job.filters, strict=True)
    regions: list[tuple[PictureRegion, Face | None]] = []
    for face, temporal in [(None, None)] if kind in FRAME_REGIONS else places:
        xy = None if face is None else face.landmarks_xy
        region = picture_region(kind, xy, style.size_wh, frame_wh, temporal_filter=temporal, at_s=job.at_s)
        if region is not None:
            name = f"mask {job.index} {len(regions)}"  # masks of all layers are in use at the same time
            drawn_xy = [one.landmarks_xy for one in job.faces] if xy is None else [xy]
            if masked:
                mask = region_mask(region, style.mask_kind, drawn_xy, job.person, workspace=job.workspace, name=name)
                region = replace(region, mask=mask)
            regions.append((region, face))
    return regions
