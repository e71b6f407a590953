"""Makes the finished frame of a tracked one: painted, covered, frozen or mirrored, as the controls say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from engines.errors import EngineError
from live.controls import ControlState
from live.cover import Cover
from live.frame import Frame, TrackedFrame
from live.painter import Painter
from live.timing import Timings
from live.wardrobe import ReadyLook, Wardrobe


class Composer:
    """Called in the loop, once a frame.

    Args:
        wardrobe: asked whether a look is ready; never waited for.
        timings: told what the stages took, and whether there was a face.
        say: takes one line for the person at the terminal.
    """

    def __init__(self, wardrobe: Wardrobe, timings: Timings, say: Callable[[str], None]) -> None:
        self._wardrobe, self._timings, self._say = wardrobe, timings, say
        self._painter = Painter()
        self._cover = Cover()
        self._wearing: ReadyLook | None = None
        self._frozen: Frame | None = None
        self._said: set[str] = set()

    def wear(self, ready: ReadyLook) -> None:
        """Put a look on; to be done once before the first frame."""
        self._wearing = ready

    def compose(self, tracked: TrackedFrame, state: ControlState) -> Frame:
        """The finished frame; the pixels of the tracked one are painted in place."""
        self._timings.faces_found += bool(tracked.faces)
        if state.frozen and self._frozen is not None:
            return replace(tracked.frame, bgr=self._frozen.bgr)
        ready = self._worn(state.look, tracked)
        frame = self._painted(tracked, ready, state.strength)
        if state.mirror:
            frame = replace(frame, bgr=np.asarray(cv2.flip(frame.bgr, 1), np.uint8))
        self._frozen = frame if state.frozen else None
        return frame

    def wants_person(self, look: str) -> bool:
        """Whether the frames that are tracked now need to say which pixels show a person; from any thread."""
        worn = self._wearing
        return self._wardrobe.wants_person(look) or (worn is not None and worn.wants_person)

    def _worn(self, name: str, tracked: TrackedFrame) -> ReadyLook:
        """The wanted look if it is ready and this frame holds what it needs; until then the one that is worn."""
        assert self._wearing is not None
        if name != self._wearing.look.name:
            coming = self._wardrobe.ready(name)
            if coming is not None and (tracked.person is not None or not coming.wants_person):
                self._wearing = coming
        return self._wearing

    def _painted(self, tracked: TrackedFrame, ready: ReadyLook, strength: float) -> Frame:
        frame = tracked.frame
        # Nobody looked for the person: the frame is older than the wish for this look.
        blind = ready.wants_person and tracked.person is None and ready.look.no_face != "raw"
        if (tracked.faces or not ready.layers) and not blind:
            try:
                at_s = frame.captured_s if frame.pts_s is None else frame.pts_s
                spent = self._painter.paint(frame.bgr, tracked.faces, ready, strength, at_s=at_s, person=tracked.person)
            except EngineError as error:
                self._say_once(f"{error}; the look shows '{ready.look.no_face}' instead")
            else:
                self._timings.stage("region", spent.region)
                self._timings.stage("generate", spent.generate)
                self._timings.stage("composite", spent.composite)
                if not spent.bare or ready.look.no_face == "raw":
                    self._cover.painted(frame.bgr, ready.look, frame.captured_s)
                    return frame
        return replace(frame, bgr=self._cover.instead(frame.bgr, ready.look, frame.captured_s))

    def _say_once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._say(line)
