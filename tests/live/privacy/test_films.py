"""Films: the gate applies only panic, so the renderer decides; it waits for the selected look."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from support.fakes import FakeSource, FakeTracker, KeepingSink
from support.head_parts import portrait_face, portrait_person
from support.never_bare_judge import SMALL_WH, is_smooth, scenes
from support.never_bare_parts import TroubledLookLoader, Troubles, the_looks
from support.never_bare_show import bare, drawn, is_card

from live.control.controls import Command, Controls, ControlState
from live.pipeline.frame import Face, Frame, TrackedFrame
from live.pipeline.pipeline import Parts, Pipeline
from live.pipeline.timing import Timings
from live.render.frame_renderer import FrameRenderer
from live.render.look_loader import LoadedLook, LookLoader

_SCENE = scenes(SMALL_WH, 1)[0]


def _look_loader() -> TroubledLookLoader:
    return TroubledLookLoader(the_looks(), Troubles(), slow_s=0.0, broken="")


def _kinds(
    look_loader: LookLoader,
    controls: Controls,
    *,
    scene: Any = _SCENE,
    found: Callable[[Frame], tuple[Face, ...]] | None = None,
    on_frame: Callable[[Frame, ControlState], None] = lambda frame, state: None,
) -> str:
    """Return what the 20 frames of a film show: b(are), d(rawn), c(ard), s(oft)."""
    source, sink = FakeSource(lambda index: scene.bgr, frames=20), KeepingSink()
    tracker = FakeTracker(found or (lambda frame: scene.faces))
    Pipeline(Parts(source, tracker, [sink], look_loader, controls), say=print, on_frame=on_frame).run()
    words = {"c": is_card, "b": bare, "d": drawn}
    return "".join(next((word for word, true in words.items() if true(frame)), "s") for frame in sink.frames)


def _switch(controls: Controls, look: str) -> Callable[[Frame, ControlState], None]:
    """Return a function that selects the look after frame 5."""

    def switch(frame: Frame, state: ControlState) -> None:
        if frame.frame_id == 5:
            controls.apply(Command("look", look))

    return switch


def test_switch_in_a_film_leaves_no_frame_bare_or_blurred() -> None:
    """Frames that were tracked before the switch are drawn too."""
    look_loader, controls = _look_loader(), Controls(tuple(the_looks()), look="none")
    look_loader.load_all()
    assert _kinds(look_loader, controls, on_frame=_switch(controls, "toon")) == "b" * 6 + "d" * 14


def test_film_waits_for_a_look_to_load() -> None:
    asked = threading.Event()

    class Waiting(TroubledLookLoader):
        def load(self, name: str) -> LoadedLook:
            if threading.current_thread().name == "render":
                asked.set()
            assert name != "sketch" or asked.wait(20), "the film did not wait for it"
            return super().load(name)

    look_loader = Waiting(the_looks(), Troubles(), slow_s=0.0, broken="")
    controls = Controls(tuple(the_looks()), look="none")
    assert _kinds(look_loader, controls, on_frame=_switch(controls, "sketch")) == "b" * 6 + "d" * 14


def test_film_shows_the_fallback_of_a_look_that_fails() -> None:
    messages: list[str] = []
    look_loader = TroubledLookLoader(the_looks(), Troubles(), slow_s=0.0, broken="toon", say=messages.append)
    controls = Controls(tuple(the_looks()), look="none")
    assert _kinds(look_loader, controls, on_frame=_switch(controls, "toon")) == "b" * 6 + "s" * 14
    assert messages == ["look toon is not available: look toon: it cannot be made here"]


def test_frame_is_rendered_and_recorded_by_one_state() -> None:
    class ChangingControls(Controls):
        """The selected look changes between any two reads."""

        reads = 0

        def read(self) -> ControlState:
            state = super().read()
            if threading.current_thread().name != "render":
                return state
            self.reads += 1
            return replace(state, look=("toon", "none")[self.reads % 2])

    look_loader, states = _look_loader(), list[str]()
    look_loader.load_all()
    controls = ChangingControls(tuple(the_looks()), look="toon")
    kinds = _kinds(look_loader, controls, on_frame=lambda frame, state: states.append(state.look))
    assert kinds == "".join({"toon": "d", "none": "b"}[look] for look in states) and set(kinds) == {"d", "b"}


def test_look_starts_with_the_first_person_mask() -> None:
    """Earlier frames keep the previous look."""
    look_loader, (bgr, face) = _look_loader(), portrait_face()
    frame_renderer = FrameRenderer(look_loader, Timings(), print)
    frame_renderer.select(look_loader.load("none"))
    look_loader.load("toon")
    tracked = TrackedFrame(Frame(bgr, 0, 0.0), (face,), 1.0, None)
    before = frame_renderer.render(tracked, ControlState("toon"))
    assert np.array_equal(before.bgr, portrait_face()[0])
    after = frame_renderer.render(replace(tracked, person=portrait_person()), ControlState("toon"))
    assert after.coverage == 1.0 and not is_smooth(after.bgr)


def test_face_that_cannot_be_painted_is_hidden() -> None:
    scene, controls = scenes(SMALL_WH, 2)[0], Controls(tuple(the_looks()), look="head")
    lost = replace(scene.faces[1], landmarks_xy=scene.faces[1].landmarks_xy * np.float32(np.nan))

    def found(frame: Frame) -> tuple[Face, ...]:
        return (scene.faces[0], lost) if 5 <= frame.frame_id < 15 else scene.faces

    assert _kinds(_look_loader(), controls, scene=scene, found=found) == "d" * 5 + "c" * 10 + "d" * 5


def test_panic_works_in_a_film() -> None:
    controls = Controls(tuple(the_looks()), look="none")

    def press(frame: Frame, state: ControlState) -> None:
        if frame.frame_id in (5, 12):
            controls.apply(Command("panic", "on" if frame.frame_id == 5 else "off"))

    kinds = _kinds(_look_loader(), controls, on_frame=press)
    assert (kinds[:4], kinds[6:11], kinds[13:]) == ("bbbb", "ccccc", "bbbbbbb"), "two frames may be in the pipeline"
