"""The style under evaluation, as a function on images."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.evaluation.image_metrics import SSIM_MIN_SIDE_PX
from engines.drawing.drawing import DrawnFace, draw_region
from engines.drawing.face_measures import measure_face
from engines.drawing.hair_colour import hair_in_own_hue
from engines.drawing.medium import MEDIA
from engines.drawing.plane_set import Planes, planes_of
from engines.regions.upright import FRAME_REGIONS
from engines.regions.workspace import Workspace
from engines.runtime.selector import open_engine, reference_engine
from live.render.blending import mix

if TYPE_CHECKING:
    from engines.styles import Style
    from engines.training.data.aligned import AlignedRegion

ImageU8 = NDArray[np.uint8]


def reference_name() -> str:
    """Return runtime and precision of the reference engine, and why it is not PyTorch."""
    return "torch fp32" if find_spec("torch") else "openvino fp32 (PyTorch is not installed)"


class Student:
    """A style on one runtime, "torch" being the FP32 reference; must be closed.

    Frame styles are evaluated on squares, so that upright photos are not cut. Raises OptionsError or EngineError if the
    runtime does not exist, or weights or runtime are not usable.
    """

    def __init__(self, style: Style, *, runtime: str = "torch") -> None:
        if style.graph is None and style.region in FRAME_REGIONS and style.size_wh[0] != style.size_wh[1]:
            style = replace(style, size_wh=(min(style.size_wh),) * 2)
        self.style = style
        self._is_reference = runtime == "torch"
        self._engine = reference_engine(style) if self._is_reference else open_engine(style, runtime=runtime)

    @property
    def runs_on(self) -> str:
        """Runtime and precision; for PyTorch selected by "auto" also the reason."""
        info = self._engine.info
        if self._is_reference:
            return reference_name() if self.style.graph is None else f"{info.name} (an imported graph)"
        return f"{info.runtime} {info.precision}" + (f" ({info.why})" if info.runtime == "torch" else "")

    def infer_bgr(self, region_bgr: ImageU8, last_bgr: ImageU8 | None = None) -> NDArray[np.float32]:
        """Run the network on one (H, W, 3) BGR region; returns the image or the change in levels of 255, BGR.

        A generator that sees its last picture takes that from `last_bgr`; see `Style.engine_input`.
        """
        input_bgr = np.ascontiguousarray(self.style.engine_input(region_bgr, last_bgr=last_bgr))
        return np.array(self._engine.infer(input_bgr[None])[0])

    def apply_rgb(self, region_rgb: ImageU8, last_rgb: ImageU8 | None = None) -> ImageU8:
        """Return the finished image of one region at the style's size, (H, W, 3) RGB uint8.

        A drawing of planes is in the medium "cel", without eyes and mouth, which are drawn from landmarks; hair has the
        hue that the network gives it.
        """
        region_bgr = np.ascontiguousarray(region_rgb[:, :, ::-1])
        last_bgr = None if last_rgb is None else last_rgb[:, :, ::-1]
        return finished_rgb(self.style, region_bgr, self.infer_bgr(region_bgr, last_bgr))

    def on_film(self) -> Callable[[ImageU8], ImageU8]:
        """Return `apply_rgb` for the frames of one film in order: each is drawn with the picture before it."""
        last_rgb: ImageU8 | None = None

        def apply_rgb(region_rgb: ImageU8) -> ImageU8:
            nonlocal last_rgb
            last_rgb = self.apply_rgb(region_rgb, last_rgb)
            return last_rgb

        return apply_rgb

    def picture_rgb(self, region: AlignedRegion) -> ImageU8:
        """Return the finished picture of a region, (H, W, 3) RGB uint8.

        Planes are drawn at the region's own size, with eyes and mouth; other pictures have the style's size.
        """
        crop_rgb = resize_area(region.rgb, self.style.size_wh)
        if self.style.output != "planes":
            return self.apply_rgb(crop_rgb)
        crop_bgr = np.ascontiguousarray(crop_rgb[:, :, ::-1])
        return drawn_rgb(hair_in_own_hue(planes_of(self.infer_bgr(crop_bgr)), crop_bgr), region)

    def close(self) -> None:
        """Close the engine; idempotent."""
        self._engine.close()


def finished_rgb(style: Style, region_bgr: ImageU8, output: NDArray[np.float32]) -> ImageU8:
    """Return the picture that a style's output becomes, (H, W, 3) RGB uint8; see `Student.apply_rgb`."""
    if style.output == "planes":
        height, width = region_bgr.shape[:2]
        return np.ascontiguousarray(draw_region(planes_of(output), (width, height), MEDIA["cel"])[:, :, ::-1])
    finished_bgr = region_bgr[: len(output)] + output if style.output == "change" else output
    return np.ascontiguousarray(np.clip(np.rint(finished_bgr), 0, 255).astype(np.uint8)[:, :, ::-1])


def taught_rgb(style: Style, taught: ImageU8, region: AlignedRegion) -> ImageU8:
    """Return a teacher's picture of a region at the size of `Student.picture_rgb`; planes (2 S, S, 3) are drawn."""
    return taught_planes_rgb(taught, region) if style.output == "planes" else resize_area(taught, style.size_wh)


def taught_planes_rgb(planes_rgb: ImageU8, region: AlignedRegion) -> ImageU8:
    """Return the drawing of a teacher's planes (2 S, S, 3) uint8; see `drawn_rgb`."""
    colour, fields = np.split(np.ascontiguousarray(planes_rgb), 2)
    return drawn_rgb(Planes(colour, fields), region)


def drawn_rgb(planes: Planes, region: AlignedRegion) -> ImageU8:
    """Return the finished picture of planes, (S, S, 3) RGB uint8, in the medium "cel" and without lenses.

    As in live use the person is drawn and the room is the photo's.
    """
    photo_bgr = np.ascontiguousarray(region.rgb[:, :, ::-1])
    faces = [DrawnFace(region.landmarks_xy, measure_face(photo_bgr, region.landmarks_xy))]
    drawn_bgr = draw_region(planes, (photo_bgr.shape[1], photo_bgr.shape[0]), MEDIA["cel"], faces, photo_bgr)
    mix(photo_bgr, drawn_bgr, region.person, 1.0, Workspace())
    return np.ascontiguousarray(photo_bgr[:, :, ::-1])


def crop_to_photo(picture: ImageU8, region: AlignedRegion) -> ImageU8:
    """Return a view of the part of a region's image, at any size, that lies inside the photo.

    The rest is border extension and is not scored. If almost nothing lies inside, the whole image is returned.
    """
    if region.inner is None:
        return picture
    height, width = picture.shape[:2]
    region_h, region_w = region.rgb.shape[:2]
    left, top, right, bottom = region.inner
    x, to_x = math.ceil(left * width / region_w - 1e-3), math.floor(right * width / region_w + 1e-3)
    y, to_y = math.ceil(top * height / region_h - 1e-3), math.floor(bottom * height / region_h + 1e-3)
    return picture[y:to_y, x:to_x] if min(to_x - x, to_y - y) >= SSIM_MIN_SIDE_PX else picture


def resize_area(picture: ImageU8, size_wh: tuple[int, int]) -> ImageU8:
    """Resize (H, W) or (H, W, C) uint8 with area interpolation (cv2.INTER_AREA)."""
    return np.asarray(cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
