"""Makes the finished frame of a tracked one: painted, covered, frozen or mirrored, as the controls say."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

import cv2

from engines.errors import EngineError, VeneerError
from engines.looks import Look
from engines.text import one_line
from live.control.controls import ControlState
from live.pipeline.frame import Frame, TrackedFrame
from live.pipeline.frame_pool import FramePool
from live.pipeline.timing import Timings
from live.render.look_loader import LookLoader, ReadyLook
from live.render.lost_face_guard import LostFaceGuard
from live.render.painter import Painter, StageMs
from live.render.privacy_fallback import PrivacyFallback, hides_enough
from live.tracking.person_segmenter import PersonSegmenter

_MOST_SAID = 16  # different lines; more would flood the terminal


class FrameRenderer:
    """Called in the loop, once a frame.

    Args:
        wardrobe: asked whether a look is ready; never waited for, but where the composer is patient.
        timings: told what the stages took, and whether there was a face.
        say: takes one line for the person at the terminal.
        look_of: the look that is asked for, ready or not. Where it covers, no frame is let through that hides less:
            not while the look is being made ready, not the frame that was frozen before.
        patient: a film has time: it waits for a look that is asked for, and each of its frames wears it.
    """

    def __init__(
        self,
        look_loader: LookLoader,
        timings: Timings,
        say: Callable[[str], None],
        *,
        look_of: Callable[[ControlState], Look | None] | None = None,
        patient: bool = False,
    ) -> None:
        self._look_loader, self._timings, self._say, self._patient = look_loader, timings, say, patient
        self._look_of = look_of or (lambda _: None)
        self._painter = Painter()
        self._pool = FramePool()
        self._cover = PrivacyFallback()
        self._missing = LostFaceGuard()
        self._segmenter = PersonSegmenter(still=True)  # it loads nothing yet
        self._wearing: ReadyLook | None = None
        self._frozen: Frame | None = None
        self._said: set[str] = set()
        self._refused: set[str] = set()  # looks that cannot be made

    def wear(self, ready: ReadyLook) -> None:
        """Put a look on; to be done once before the first frame."""
        self._wearing = ready

    def compose(self, tracked: TrackedFrame, state: ControlState) -> Frame:
        """The finished frame; the pixels of the tracked one are painted in place."""
        self._timings.faces_found += bool(tracked.faces)
        if state.frozen and self._frozen is not None:
            frame = replace(tracked.frame, bgr=self._frozen.bgr, cover=self._frozen.cover)
        else:
            if self._patient:
                tracked = self._dressed(state.look, tracked)
            frame = self._painted(tracked, self._worn(state.look, tracked), state)
        frame = self._as_wanted(frame, state)
        self._frozen = frame if state.frozen else None
        return frame

    def wants_person(self, look: str) -> bool:
        """Whether the frames that are tracked now need to say which pixels show a person; from any thread."""
        ready = self._wearing
        return self._look_loader.wants_person(look) or (ready is not None and ready.wants_person)

    def close(self) -> None:
        """Let go of what looks for persons; to be called by the thread that composed."""
        self._segmenter.close()

    def _worn(self, name: str, tracked: TrackedFrame) -> ReadyLook:
        """The wanted look if it is ready and this frame holds what it needs; until then the one that is worn."""
        assert self._wearing is not None
        if name != self._wearing.look.name:
            coming = self._look_loader.ready(name)
            if coming is not None and (tracked.person is not None or not coming.wants_person):
                self._wearing = coming
        return self._wearing

    def _dressed(self, name: str, tracked: TrackedFrame) -> TrackedFrame:
        """Wait until the look is ready, and look for the person where the frame is older than the wish for it."""
        if self._look_loader.ready(name) is None and name not in self._refused:
            try:
                self._look_loader.prepare(name)
            except VeneerError:  # the wardrobe says why
                self._refused.add(name)
        if tracked.person is None and self._look_loader.wants_person(name):
            with contextlib.suppress(Exception):  # it is covered as without a face then
                return replace(tracked, person=self._segmenter.mask(tracked.frame.bgr))
        return tracked

    def _painted(self, tracked: TrackedFrame, ready: ReadyLook, state: ControlState) -> Frame:
        frame, look = tracked.frame, ready.look
        at_s = frame.captured_s if frame.pts_s is None else frame.pts_s
        spent = self._paint(tracked, ready, state.strength, at_s)
        if state.mirror:
            mirrored_bgr = self._pool.take(frame.bgr.shape)
            cv2.flip(frame.bgr, 1, dst=mirrored_bgr)
            frame = replace(frame, bgr=mirrored_bgr)
        if spent is None or (spent.bare and look.no_face != "raw"):
            return self._cover.over(frame, look, at_s, strength=state.strength)
        hiding = (layer.strength for layer in ready.layers if layer.output == "picture")
        frame = replace(frame, cover=0.0 if spent.bare else state.strength * max(hiding, default=0.0))
        self._cover.painted(frame, look, at_s)
        return frame

    def _paint(self, tracked: TrackedFrame, ready: ReadyLook, strength: float, at_s: float) -> StageMs | None:
        """Paint in place; None where there is nothing to paint on, or it failed."""
        # Nobody looked for the person: the frame is older than the wish for this look, or the looking failed.
        blind = ready.wants_person and tracked.person is None and ready.look.no_face != "raw"
        if (ready.layers and not tracked.faces) or blind:
            return None
        frame_bgr, faces = tracked.frame.bgr, tracked.faces
        try:
            if self._missing.any(tracked, ready, at_s) and ready.look.no_face != "raw":
                return None
            spent = self._painter.paint(frame_bgr, faces, ready, strength, at_s=at_s, person=tracked.person)
        except Exception as error:  # whatever it is, the frame is covered, and the next one may be well again
            if not self._look_loader.mends(error):  # which says what goes on
                what = "" if isinstance(error, EngineError) else f"look {ready.look.name}: "
                self._say_once(f"{what}{one_line(error)}; the look shows '{ready.look.no_face}' instead")
            return None
        self._timings.stage("region", spent.region)
        self._timings.stage("generate", spent.generate)
        self._timings.stage("composite", spent.composite)
        return spent

    def _as_wanted(self, frame: Frame, state: ControlState) -> Frame:
        """The frame, or the wanted look's own rule where it hides less than that look does."""
        look = self._look_of(state)
        if look is None or hides_enough(frame, look, state.strength):
            return frame
        at_s = frame.captured_s if frame.pts_s is None else frame.pts_s
        return self._cover.over(frame, look, at_s, strength=state.strength)

    def _say_once(self, line: str) -> None:
        if line not in self._said and len(self._said) < _MOST_SAID:
            self._said.add(line)
            self._say(line)
