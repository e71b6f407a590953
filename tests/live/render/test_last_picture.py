"""Styles whose generator sees its last picture: each face is drawn with the picture of the frame before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from support.head_parts import portrait_face

from engines import paths
from engines.generators.registry import fresh_generator
from engines.looks import Layer, Look
from engines.regions.upright import PictureRegion
from engines.runtime.selector import reference_engine
from engines.style_lookup import load_style
from engines.styles import Style
from live.pipeline.frame import Face, Floats, ImageU8
from live.render.look_loader import LoadedLook, LookLoader
from live.render.painter import Painter

SIDE = 64


def own(**card: Any) -> Style:
    """Write a style with random weights into the user's folder."""
    folder = paths.data_dir() / "weights"
    folder.mkdir(parents=True)
    arguments = {"channels": 4, "blocks": 1}
    torch.manual_seed(3)
    save_file(fresh_generator("vid2vid", arguments).state_dict(), folder / "steady.safetensors")
    described = {"generator": "vid2vid", "generator_args": arguments, "region": "head", "output": "picture"}
    (folder / "steady.json").write_text(json.dumps(described | {"size_wh": [SIDE, SIDE]} | card))
    return load_style("steady")


@pytest.fixture
def loaded(veneer_home: object, request: pytest.FixtureRequest) -> Iterator[LoadedLook]:
    look = Look("steady", "", (Layer(own(**getattr(request, "param", {})), 1.0),))
    loader = LookLoader({"steady": look}, runtime="openvino", say=print)
    yield loader.load("steady")
    loader.close()


def drawn(
    painter: Painter, loaded: LoadedLook, frame_bgr: ImageU8, *faces: Face
) -> tuple[ImageU8, list[PictureRegion]]:
    """Return the painted frame and the regions of its faces."""
    painted_bgr = frame_bgr.copy()
    stats = painter.paint(painted_bgr, faces, loaded, 1.0, at_s=0.0)
    return painted_bgr, stats.drawn


def expected(style: Style, region: PictureRegion, frame_bgr: ImageU8, last_bgr: ImageU8 | None) -> ImageU8:
    """Return the picture of a crop by PyTorch."""
    given = style.engine_input(region.crop(frame_bgr), last_bgr=last_bgr)
    picture: ImageU8 = np.clip(np.rint(reference_engine(style).infer(given[None])[0]), 0, 255).astype(np.uint8)
    return picture


def test_a_frame_is_drawn_with_the_picture_before_it(loaded: LoadedLook) -> None:
    frame_bgr, face = portrait_face()
    painter, style = Painter(), loaded.layers[0].style
    assert isinstance(style, Style)
    last_bgr, shown = None, []
    for _ in range(3):
        painted_bgr, (region,) = drawn(painter, loaded, frame_bgr, face)
        without_bgr, last_bgr = expected(style, region, frame_bgr, None), expected(style, region, frame_bgr, last_bgr)
        shown.append([middle(picture) for picture in (region.crop(painted_bgr), last_bgr, without_bgr)])
    for painted, with_last, without in shown[1:]:
        assert np.abs(painted - with_last).mean() < 0.3 * np.abs(painted - without).mean()


def middle(crop_bgr: ImageU8) -> Floats:
    """Return the mean colour of each 8x8 pixels inside the mask, far from its soft border."""
    small = cv2.resize(crop_bgr, (SIDE // 8, SIDE // 8), interpolation=cv2.INTER_AREA)
    return np.asarray(small[3:5, 3:5], np.float32)


def test_faces_do_not_share_their_last_pictures(loaded: LoadedLook) -> None:
    frame_bgr, face = portrait_face()
    two_bgr = np.hstack([frame_bgr, frame_bgr[:, ::-1]])
    other = Face(face.landmarks_xy * (-1, 1) + (2 * frame_bgr.shape[1] - 1, 0), face.face_id + 1)
    painter = Painter()
    first, _ = drawn(painter, loaded, two_bgr, face, other)
    both, _ = drawn(painter, loaded, two_bgr, face, other)
    alone = Painter()
    drawn(alone, loaded, two_bgr, face)
    assert (drawn(alone, loaded, two_bgr, face)[0][:, :256] == both[:, :256]).all()
    assert (first != both).any()


def test_a_lost_face_starts_again(loaded: LoadedLook) -> None:
    frame_bgr, face = portrait_face()
    painter = Painter()
    first, _ = drawn(painter, loaded, frame_bgr, face)
    drawn(painter, loaded, frame_bgr)
    assert (drawn(painter, loaded, frame_bgr, face)[0] == first).all()


@pytest.mark.parametrize("loaded", [{"memory": False}], indirect=True)
def test_a_style_trained_without_memory_gets_none(loaded: LoadedLook) -> None:
    frame_bgr, face = portrait_face()
    painter = Painter()
    first, _ = drawn(painter, loaded, frame_bgr, face)
    assert (drawn(painter, loaded, frame_bgr, face)[0] == first).all()
