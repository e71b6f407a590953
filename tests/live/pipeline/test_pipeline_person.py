"""Each frame has its person mask, from the first one on; without it a covering look shows its fallback."""

from __future__ import annotations

import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest
from support.fakes import FakeSource, FakeTracker, KeepingSink
from support.head_parts import NegativeEngine, portrait_face, portrait_person, stand_in_layer
from support.pipeline_parts import pipeline

from engines.looks import Look
from engines.looks_file import load_looks
from engines.runtime.hot_swap import HotSwapEngine
from live.control.controls import ControlState
from live.pipeline.frame import Frame, ImageU8, TrackedFrame
from live.pipeline.timing import Timings
from live.render.frame_renderer import FrameRenderer
from live.render.look_loader import LoadedLook, LookLoader
from live.render.privacy_fallback import blurred
from live.tracking.person_segmenter import PersonSegmenter

LOOK = replace(load_looks()["toon"], name="negative")


class NegativeLookLoader(LookLoader):
    """The toon look with a stand-in for its network; other looks paint nothing."""

    def load(self, name: str) -> LoadedLook:
        layers = (stand_in_layer(HotSwapEngine(NegativeEngine()), "person"),)
        self._loaded[name] = LoadedLook(self._looks[name], layers if name == "negative" else ())
        return self._loaded[name]


def _room() -> ImageU8:
    portrait, _ = portrait_face()
    return np.asarray(cv2.copyMakeBorder(portrait, 0, 0, 200, 200, cv2.BORDER_REPLICATE), np.uint8)


def test_first_frame_of_a_film_leaves_the_room_undrawn() -> None:
    room = _room()
    look_loader = NegativeLookLoader({"negative": LOOK}, runtime="auto", say=print)
    sink = KeepingSink()
    _, face = portrait_face()
    moved = replace(face, landmarks_xy=face.landmarks_xy + np.float32([200, 0]))
    source = FakeSource(lambda _: room.copy(), frames=4)
    pipeline(
        source, [sink], tracker=FakeTracker(lambda _: (moved,)), looks={"negative": LOOK}, look="negative",
        look_loader=look_loader,
    ).run()  # fmt: skip
    assert len(sink.frames) == 4
    for frame in sink.frames:
        assert np.array_equal(frame.bgr[:200, :100], room[:200, :100])
        x, y = moved.landmarks_xy[1].astype(int)
        assert np.abs(frame.bgr[y, x].astype(int) - (255 - room[y, x].astype(int))).max() < 40


def test_frame_without_person_mask_shows_the_fallback() -> None:
    bare, face = portrait_face()
    look_loader = NegativeLookLoader({"none": Look("none", "", ()), "negative": LOOK}, runtime="auto", say=print)
    frame_renderer = FrameRenderer(look_loader, Timings(), print)
    frame_renderer.select(look_loader.load("negative"))
    state = ControlState(look="negative")
    first = frame_renderer.render(TrackedFrame(Frame(bare.copy(), 0, 0.0), (face,), 1.0, portrait_person()), state)
    held = frame_renderer.render(TrackedFrame(Frame(bare.copy(), 1, 0.03), (face,), 1.0, None), state)
    assert np.array_equal(held.bgr, first.bgr)
    late = frame_renderer.render(TrackedFrame(Frame(bare.copy(), 2, 2.0), (face,), 1.0, None), state)
    assert np.array_equal(late.bgr, blurred(bare))


@pytest.mark.parametrize("interval_s", [0.0, 0.03])
def test_no_frame_is_bare_when_the_segmentation_fails(interval_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """At full speed in the tracker's thread, behind a camera in a thread of its own."""
    threads = set[str]()

    def broken(self: PersonSegmenter, frame_bgr: ImageU8) -> ImageU8:
        threads.add(threading.current_thread().name.split("_")[0])
        raise RuntimeError("no memory")

    monkeypatch.setattr(PersonSegmenter, "mask", broken)
    bare, face = portrait_face()
    sink, said = KeepingSink(), list[str]()
    source = FakeSource(lambda _: bare.copy(), frames=6, interval_s=interval_s)
    pipeline(
        source, [sink], tracker=FakeTracker(lambda _: (face,)), looks={"negative": LOOK}, look="negative",
        say=said.append, look_loader=NegativeLookLoader({"negative": LOOK}, runtime="auto", say=print),
    ).run()  # fmt: skip
    assert "segmentation" in threads or not interval_s
    assert len(sink.frames) == 6
    assert all(np.array_equal(frame.bgr, blurred(bare)) for frame in sink.frames)
    assert any("person segmentation failed" in line and "no memory" in line for line in said)
