"""The one place that decides whether a frame may be shown, and what is shown instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isfinite

from engines.looks import Look
from engines.regions.upright import PictureRegion
from live.control.controls import STRENGTH_STEP, ControlState
from live.pipeline.frame import Frame, TrackedFrame
from live.render.bare_mask import bare_pixels, blur_where
from live.render.look_loader import LoadedLook
from live.render.lost_face_guard import LostFaceGuard
from live.render.person_areas import faces_to_hide, without_persons
from live.render.privacy_fallback import fallback_frame
from live.render.untracked_heads import blur_heads

_MIN_MAX_AGE_S = 0.5  # a camera at 15 frames per second, repeated at 30, must not flicker

RULE = (
    "every person in the picture is drawn or blurred, except heads under 40 pixels (at 720 lines), people of whom less "
    "than half the head is seen, hair and clothes at their edges or in the colours of the background, and for a second "
    "or two those who come in"
)
"""What a covering look guarantees, and its limits."""

UNTRACKED = (
    "more faces are in the picture than are tracked (--max-faces, masks, profiles); "
    "a covering look blurs their heads, and draws or blurs their bodies"
)
_IN_WORDS = {"raw": "the bare picture", "blur": "a blurred picture", "card": "a still card"}


def rule_line(look: Look) -> str:
    """Return one line that states what the look guarantees; empty for a look that hides nothing."""
    if not look.covers or look.final_fallback == "raw":
        return ""
    bare = look.names and look.others == "bare"
    return f"{look.name}: {RULE.replace('in the picture', 'whom it is for') if bare else RULE}"


def fallback_in_words(look: Look, *, can_hold: bool = True) -> str:
    """Return what viewers see in place of a frame that must not be shown.

    Args:
        look: the selected look.
        can_hold: whether there are earlier frames.
    """
    final = _IN_WORDS[look.final_fallback]
    if look.no_face != "hold" or not can_hold:
        return final
    return "the last drawing" + (f" for {look.hold_s:g} s, then {final}" if isfinite(look.hold_s) else "")


def required_coverage(look: Look, strength: float) -> float:
    """Return the lowest `Frame.coverage` that may be output while this look is selected at this strength.

    It is 0 for looks that hide nothing and for looks whose final fallback is the raw frame.
    """
    if look.final_fallback == "raw":
        return 0.0
    covering = (layer.strength for layer in look.layers if layer.covers)
    return strength * max(covering, default=0.0)


def covers_enough(frame: Frame, look: Look, strength: float) -> bool:
    """Whether the frame's coverage is high enough for this look at this strength.

    One step of the strength key less is accepted, so that a key press does not blur the frames that are already in
    the pipeline, nor a frozen one.
    """
    return frame.coverage >= required_coverage(look, strength - STRENGTH_STEP) - 1e-6


def max_age_s(look: Look) -> float:
    """Return how long one picture may be repeated while no new frame comes; infinity if without limit."""
    if look.final_fallback == "raw":
        return float("inf")
    return max(look.hold_s, _MIN_MAX_AGE_S) if look.no_face == "hold" else _MIN_MAX_AGE_S


class PrivacyPolicy:
    """Rules that keep a face from being shown uncovered while a covering look is selected.

    The frame renderer applies `can_paint`, `blur_untracked`, `cover_bare`, `after_painting` and `enforce` to each
    frame, in one thread. The gate before each sink applies `output_fallback`, which keeps no state and may be called
    from any thread.

    Args:
        look_of: returns the selected look, loaded or not; None if unknown, then only the painted look's rules apply.
    """

    def __init__(self, look_of: Callable[[ControlState], Look | None] = lambda _: None) -> None:
        self._look_of = look_of
        self._lost_faces = LostFaceGuard()
        self._held: tuple[Frame, str] | None = None  # the last painted frame and the name of its look

    def can_paint(self, tracked: TrackedFrame, loaded: LoadedLook) -> bool:
        """Whether painting this look covers every face that is known to be on the frame.

        It does not if no face was found, if the look needs a person mask and the frame has none, or if a face of the
        previous frames is missing. The last two do not matter to a look that shows the raw frame without a face.
        """
        raw = loaded.look.no_face == "raw"
        if (loaded.layers and not tracked.faces) or (loaded.needs_person and tracked.person is None and not raw):
            return False
        return not self._lost_faces.is_face_lost(tracked, loaded) or raw

    def blur_untracked(self, tracked: TrackedFrame, loaded: LoadedLook, strength: float) -> None:
        """Blur, in place and before painting, the heads whose faces are not tracked; only a body layer draws them.

        A look that is for some persons draws only persons with a face; a head without one is that of an unknown person.

        Args:
            tracked: the frame, its faces and its other heads.
            loaded: the look to paint.
            strength: 0..1.
        """
        look = loaded.look
        if look.needs_everyone:
            blur_heads(tracked.frame.bgr, tracked.heads, tracked.faces, self._blur_strength(look, strength))

    def cover_bare(
        self, tracked: TrackedFrame, loaded: LoadedLook, strength: float, drawn: Sequence[PictureRegion]
    ) -> None:
        """Blur, in place, every pixel of the painted frame that shows a person and is not drawn.

        Call it before the frame is mirrored. A look that draws all persons, and one that shows the raw frame without a
        face, need nothing. A look for some persons leaves the others as they are, or blurs them; whose face is
        undecided, or was lost a moment ago, is blurred.

        Args:
            tracked: the painted frame, its faces and its person mask.
            loaded: the painted look.
            strength: 0..1.
            drawn: the regions of the layers that draw.
        """
        look, size_wh = loaded.look, tracked.frame.size_wh
        if look.hides_by_person:
            faces = (*tracked.faces, *tracked.lost)
            hidden = faces_to_hide(look, faces, tracked.names)
            shown = {face.face_id for face in faces} - {face.face_id for face in hidden}
            person = without_persons(tracked.person, size_wh, faces, shown, tracked.heads)
            covering = [layer for layer in loaded.layers if layer.covers]
            names = {face.face_id: tracked.names.get(face.face_id) for face in tracked.faces}
            drawn_ids = {face_id for face_id, name in names.items() if any(layer.is_for(name) for layer in covering)}
            others = [face for face in hidden if face.face_id not in drawn_ids]
            bare = bare_pixels(size_wh, person, hidden, drawn, whole=others)
            blur_where(tracked.frame.bgr, bare, self._blur_strength(look, strength))
        elif look.needs_everyone and not look.region_drawn_without_faces:
            bare = bare_pixels(size_wh, tracked.person, tracked.faces, drawn)
            blur_where(tracked.frame.bgr, bare, required_coverage(look, strength))

    @staticmethod
    def _blur_strength(look: Look, strength: float) -> float:
        return 1.0 if look.hides_by_person and look.others == "blur" else required_coverage(look, strength)

    def after_painting(self, frame: Frame, loaded: LoadedLook, strength: float, *, bare_faces: int | None) -> Frame:
        """Return the painted frame with its coverage, or the look's fallback if it must not be shown.

        Args:
            frame: the painted frame; it may be held later, so its array must not be modified any more.
            loaded: the painted look.
            strength: 0..1.
            bare_faces: number of faces that a layer could not paint; None if the frame was not painted.
        """
        if bare_faces is None or (bare_faces and loaded.look.no_face != "raw"):
            return self._fallback(frame, loaded.look, strength)
        hiding = (layer.strength for layer in loaded.layers if layer.covers)
        coverage = 0.0 if bare_faces else strength * max(hiding, default=0.0)
        painted = bool(loaded.layers and strength)
        shown, note = ("picture", loaded.look.swap_note) if painted else ("raw", "")
        frame = replace(frame, coverage=coverage, shown=shown, look=loaded.look.name, note=note)
        self._held = frame, loaded.look.name
        return frame

    def enforce(self, frame: Frame, state: ControlState) -> Frame:
        """Return the frame, or the selected look's fallback if the frame covers less than that look requires.

        This applies while the selected look is still loading, and to a frozen frame.
        """
        look = self._look_of(state)
        if look is None or covers_enough(frame, look, state.strength):
            return frame
        return self._fallback(frame, look, state.strength)

    def output_fallback(self, frame: Frame, state: ControlState, *, shown_s: float, film: bool = False) -> str | None:
        """Return what a sink must show in place of the frame: "card", "blur" or "raw"; None for the frame itself.

        Args:
            frame: as it came from the renderer.
            state: the current controls.
            shown_s: for how long this picture has been shown; negative after the clock was set back.
            film: the frame was rendered by the state that belongs to it; only panic applies.
        """
        if state.panic:
            return "card"
        look = None if film else self._look_of(state)
        if look is None:
            return None
        too_old = not state.frozen and not 0.0 <= shown_s <= max_age_s(look)
        return look.final_fallback if too_old or not covers_enough(frame, look, state.strength) else None

    def _fallback(self, frame: Frame, look: Look, strength: float) -> Frame:
        """Return the held frame if the look holds one of the same look and size, else its final fallback."""
        held, name = self._held or (frame, None)
        is_same = name == look.name and held.size_wh == frame.size_wh
        is_recent = 0.0 <= frame.time_s - held.time_s <= look.hold_s
        if look.no_face == "hold" and is_same and is_recent and covers_enough(held, look, strength):
            return replace(frame, bgr=held.bgr, coverage=held.coverage, shown="hold", look=held.look, note=held.note)
        return fallback_frame(frame, look.final_fallback)
