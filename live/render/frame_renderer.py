"""Renders a tracked frame: paints the selected look and applies the privacy policy, freeze and mirror."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

import cv2

from engines.errors import EngineError, VeneerError
from engines.text import one_line
from live.control.controls import ControlState
from live.pipeline.frame import Frame, TrackedFrame
from live.pipeline.frame_pool import FramePool
from live.pipeline.timing import Timings
from live.render.look_loader import LoadedLook, LookLoader
from live.render.painter import Painter
from live.render.privacy_policy import PrivacyPolicy, fallback_in_words
from live.tracking.person_finder import PersonFinder


class FrameRenderer:
    """Renders one frame after another; used by the rendering thread only, except `needs_person`,
    `needs_everyone` and `needs_hands`.

    Args:
        look_loader: provides loaded looks.
        timings: receives the duration of the painter's stages and the number of frames with a face.
        say: receives one-line messages for the user; the same one may come with every frame.
        policy: decides which frames may be shown.
        wait_for_looks: load a selected look before the next frame is rendered (films); otherwise the previous look
            is used until the loader's own thread has loaded it.
    """

    def __init__(
        self,
        look_loader: LookLoader,
        timings: Timings,
        say: Callable[[str], None],
        *,
        policy: PrivacyPolicy | None = None,
        wait_for_looks: bool = False,
    ) -> None:
        self._look_loader, self._timings, self._say = look_loader, timings, say
        self._policy, self._wait_for_looks = policy or PrivacyPolicy(), wait_for_looks
        self._painter = Painter(live=not wait_for_looks)
        self._pool = FramePool()
        self._person_finder = PersonFinder(still=True)  # loads its models on first use
        self._look: LoadedLook | None = None
        self._frozen: Frame | None = None
        self._failed_looks: set[str] = set()

    def select(self, look: LoadedLook) -> None:
        """Set the look to render; call it once before the first frame."""
        self._look = look

    def needs_person(self, look: str) -> bool:
        """Whether frames that are tracked now need a person mask; may be called from any thread."""
        current = self._look
        return self._look_loader.needs_person(look) or (current is not None and current.needs_person)

    def needs_everyone(self, look: str) -> bool:
        """Whether every person must be found on frames that are tracked now; may be called from any thread."""
        current = self._look
        return self._look_loader.needs_everyone(look) or (current is not None and current.look.needs_everyone)

    def needs_hands(self, look: str) -> bool:
        """Whether hands must be found on frames that are tracked now; may be called from any thread."""
        current = self._look
        return self._look_loader.needs_hands(look) or (current is not None and current.look.needs_hands)

    def render(self, tracked: TrackedFrame, state: ControlState) -> Frame:
        """Return the rendered frame. The pixels of the tracked frame are painted in place."""
        self._timings.faces_found += bool(tracked.faces)
        if state.frozen and self._frozen is not None:
            frozen = self._frozen
            frame = replace(tracked.frame, bgr=frozen.bgr, coverage=frozen.coverage, shown=frozen.shown)
            frame = replace(frame, look=frozen.look, note=frozen.note)
        else:
            if self._wait_for_looks:
                tracked = self._with_look_loaded(state.look, tracked)
            frame = self._painted(tracked, self._current_look(state.look, tracked), state)
        frame = self._policy.enforce(frame, state)
        self._frozen = frame if state.frozen else None
        return frame

    def close(self) -> None:
        """Release the person finder; call it from the rendering thread."""
        self._person_finder.close()

    def _current_look(self, name: str, tracked: TrackedFrame) -> LoadedLook:
        """Switch to the selected look if it is loaded and the frame has the person mask it needs."""
        assert self._look is not None
        selected = self._look_loader.get(name)
        is_other = selected is not None and selected is not self._look
        if selected is not None and is_other and (tracked.person is not None or not selected.needs_person):
            self._look = selected
        return self._look

    def _with_look_loaded(self, name: str, tracked: TrackedFrame) -> TrackedFrame:
        """Load the look, and add the person mask if the frame was tracked before that look was selected."""
        if self._look_loader.get(name) is None and name not in self._failed_looks:
            try:
                self._look_loader.load(name)
            except VeneerError:  # reported by the loader's own thread
                self._failed_looks.add(name)
        if tracked.person is None and self._look_loader.needs_person(name):
            with contextlib.suppress(Exception):  # without a mask the policy shows the look's fallback
                frame = tracked.frame
                person = self._person_finder.persons(frame.bgr, tracked.faces, frame.time_s)
                finder = self._person_finder
                return replace(tracked, person=person, outlined=finder.outlined, heads=finder.heads)
        return tracked

    def _painted(self, tracked: TrackedFrame, loaded: LoadedLook, state: ControlState) -> Frame:
        frame = tracked.frame
        bare_faces = self._paint(tracked, loaded, state.strength)
        if state.mirror:
            mirrored_bgr = self._pool.take(frame.bgr.shape)
            cv2.flip(frame.bgr, 1, dst=mirrored_bgr)
            frame = replace(frame, bgr=mirrored_bgr)
        return self._policy.after_painting(frame, loaded, state.strength, bare_faces=bare_faces)

    def _paint(self, tracked: TrackedFrame, loaded: LoadedLook, strength: float) -> int | None:
        """Paint in place; return the number of faces left bare, or None if the frame was not painted."""
        frame = tracked.frame
        try:
            if not self._policy.can_paint(tracked, loaded):
                return None
            self._policy.blur_untracked(tracked, loaded, strength)
            spent = self._painter.paint(
                frame.bgr,
                tracked.faces,
                loaded,
                strength,
                at_s=frame.time_s,
                person=tracked.person,
                outlined=tracked.outlined,
                names=tracked.names,
                heads=tracked.heads,
            )
            self._policy.cover_bare(tracked, loaded, strength, spent.drawn)
        except Exception as error:  # libraries raise any type; the next frame may succeed
            if not self._look_loader.is_replacing_engine(error):
                subject = "" if isinstance(error, EngineError) else f"look {loaded.look.name}: "
                self._say(f"{subject}{one_line(error)}; viewers see {fallback_in_words(loaded.look)}")
            return None
        self._timings.stage("region", spent.region_ms)
        self._timings.stage("generate", spent.generate_ms)
        self._timings.stage("composite", spent.composite_ms)
        return spent.bare_faces
