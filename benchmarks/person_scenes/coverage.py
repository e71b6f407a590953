"""What a look draws, measured with stand-ins for networks and drawing: they fill every region with one colour."""

from __future__ import annotations

from typing import Any
from unittest import mock

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.drawing.plane_set import CHANNELS, Planes
from engines.looks import Look
from engines.runtime.base import EngineInfo
from engines.runtime.hot_swap import HotSwapEngine
from live.control.controls import ControlState
from live.pipeline.frame import Floats, Frame, ImageU8, TrackedFrame
from live.pipeline.timing import Timings
from live.render import plane_painter
from live.render.frame_renderer import FrameRenderer
from live.render.look_loader import LoadedLayer, LoadedLook, LookLoader
from live.render.privacy_policy import PrivacyPolicy
from live.tracking.base import FaceTracker
from live.tracking.face_mesh import FaceMeshTracker
from live.tracking.person_finder import PersonFinder

_COLOUR_BGR = np.array([255, 0, 255], np.float32)
_MIN_DRAWN = 0.5  # opacity of the drawing
_RIM_PX_AT_720 = 6  # the outline of the true mask is that uncertain


class FlatEngine:
    """Returns one colour for every pixel, or planes, which `_flat_drawing` replaces by one colour.

    Args:
        planes: Whether the style's network returns planes.
    """

    info = EngineInfo("flat", "stand-in", "none", "none", "a benchmark")

    def __init__(self, *, planes: bool = False) -> None:
        self._planes = planes

    def infer(self, regions_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (N, H, W, 3) float32, or (N, CHANNELS, H / 2, W / 2) float32 for planes."""
        if self._planes:
            count, height, width, _ = regions_bgr.shape
            return np.zeros((count, CHANNELS, height // 2, width // 2), np.float32)
        return np.broadcast_to(_COLOUR_BGR, regions_bgr.shape).copy()

    def close(self) -> None:
        """Release nothing."""


def _flat_drawing(planes: Planes, *_: object, **__: object) -> ImageU8:
    """Return one colour in place of `engines.drawing.drawing.draw`."""
    return np.broadcast_to(_COLOUR_BGR.astype(np.uint8), (*planes.fields.shape[:2], 3)).copy()


def _no_features(*_: object, **__: object) -> None:
    """Leave out eyes and mouths, which are drawn over the rest."""


class _FlatLookLoader(LookLoader):
    def load(self, name: str) -> LoadedLook:
        look = self.looks[name]
        layers = tuple(
            LoadedLayer(
                layer.style,
                layer.strength,
                HotSwapEngine(FlatEngine(planes=layer.medium is not None)),
                medium=layer.medium,
            )
            for layer in look.layers
            if layer.covers
        )
        self._loaded[name] = LoadedLook(look, layers)
        return self._loaded[name]


class Coverage:
    """Renders frames of one film, or unrelated pictures, as the program does; it keeps the film's state.

    Args:
        look: A look whose drawn layers are replaced by flat ones; make-up layers are left out.
        still: The frames are unrelated pictures.
        max_faces: Faces that are tracked.
    """

    def __init__(self, look: Look, *, still: bool = False, max_faces: int = 4) -> None:
        self._look, self._still = look, still
        self._tracker: FaceTracker = FaceMeshTracker(max_faces=max_faces, still=still)
        self._finder = PersonFinder(still=still)
        self._renderer = self._new_renderer()

    def _new_renderer(self) -> FrameRenderer:
        look = self._look
        loader = _FlatLookLoader({look.name: look}, runtime="auto", say=print)
        renderer = FrameRenderer(loader, Timings(), print, policy=PrivacyPolicy(lambda _: look))
        renderer.select(loader.load(look.name))
        return renderer

    def drawn(self, frame: Frame) -> tuple[NDArray[np.bool_], bool]:
        """Return which pixels are drawn or blurred, (H, W) bool, and whether the look's fallback is shown."""
        painted = Frame(frame.bgr.copy(), frame.frame_id, frame.captured_s, frame.pts_s)
        shown_bgr = self.shown(painted)
        if shown_bgr is not painted.bgr:
            return np.ones(frame.bgr.shape[:2], bool), True
        return _opacity(frame.bgr, shown_bgr) >= _MIN_DRAWN, False

    def shown(self, frame: Frame) -> ImageU8:
        """Return the picture that viewers see; unless it is the look's fallback, the frame is painted in place."""
        if self._still:
            self._renderer = self._new_renderer()  # it keeps the faces of a film
        faces = self._tracker.track(frame)
        if self._look.needs_everyone:
            person = self._finder.persons(frame.bgr, faces, frame.time_s)
        else:
            person = self._finder.mask(frame.bgr, frame.time_s)
        with mock.patch.multiple(plane_painter, draw=_flat_drawing, draw_features=_no_features):
            tracked = TrackedFrame(frame, faces, 0.0, person, heads=self._finder.heads)
            return self._renderer.render(tracked, ControlState(self._look.name)).bgr

    def close(self) -> None:
        """Release the models."""
        self._tracker.close()
        self._finder.close()
        self._renderer.close()


def _opacity(before_bgr: ImageU8, after_bgr: ImageU8) -> Floats:
    """Return how much of the colour was blended over each pixel, 0..1, from the channel that shows it best."""
    room = _COLOUR_BGR - before_bgr
    best = np.abs(room).argmax(2)[:, :, None]
    change = np.take_along_axis(after_bgr.astype(np.float32) - before_bgr, best, 2)
    return np.asarray((change / np.take_along_axis(room, best, 2))[:, :, 0], np.float32)


def score(drawn: NDArray[np.bool_], persons: Floats) -> dict[str, Any]:
    """Compare what is drawn with the true mask of the persons, without its rim.

    Args:
        drawn: (H, W), True where a pixel is drawn or blurred.
        persons: (H, W), opacity of the persons, 0..1.

    Returns:
        bare: part of the persons' pixels that is not drawn; patch_px: side of the largest square of such pixels, at 720
        lines; room: part of the other pixels that is drawn.
    """
    scale = persons.shape[0] / 720
    rim = np.ones((2 * max(1, round(_RIM_PX_AT_720 * scale)) + 1,) * 2, np.uint8)
    inside = cv2.erode((persons > 0.5).astype(np.uint8), rim) > 0
    outside = cv2.dilate((persons > 0.1).astype(np.uint8), rim) == 0
    bare = (inside & ~drawn).astype(np.uint8)
    framed = cv2.copyMakeBorder(bare, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    patch = 2 * float(cv2.distanceTransform(framed, cv2.DIST_C, 3).max())
    return {
        "bare": float(bare.sum() / max(1, inside.sum())),
        "patch_px": patch / scale,
        "room": float((outside & drawn).sum() / max(1, outside.sum())),
    }
