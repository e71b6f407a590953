"""What viewers see now, in words: from the frame that the gate of the first sink returned, so banner and gate agree."""

from __future__ import annotations

from dataclasses import dataclass

from live.control.controls import ControlState
from live.pipeline.frame import Frame


@dataclass(frozen=True, slots=True)
class ViewersSee:
    """One line for the banner.

    Attributes:
        level: "covered", "thin" (covered in part), "held", "blur", "card", "face" (made up, not covered), "bare" or
            "nothing".
        words: The line.
    """

    level: str
    words: str


def viewers_see(output: Frame | None, shown_s: float, state: ControlState, *, watched: bool) -> ViewersSee:
    """Describe the output.

    Args:
        output: What the first sink shows, as `Sender.output`.
        shown_s: For how long.
        state: The current controls.
        watched: Whether the output is watched; without viewers the camera is released.
    """
    if not watched:
        return ViewersSee("nothing", "nothing: no program reads the camera")
    if output is None:
        return ViewersSee("nothing", "nothing yet")
    seen = _of(output, shown_s)
    if state.frozen and output.shown in ("picture", "hold", "raw"):
        return ViewersSee(seen.level, f"frozen, {seen.words}")
    return seen


def _of(output: Frame, shown_s: float) -> ViewersSee:
    if output.shown == "card":
        return ViewersSee("card", "card: the camera is paused")
    if output.shown == "blur":
        return ViewersSee("blur", "blurred")
    if output.shown == "hold":
        return ViewersSee("held", f"held for {shown_s:.1f} s")
    if output.shown == "raw":
        return ViewersSee("bare", "BARE")
    if output.coverage >= 1.0 - 1e-6:
        return ViewersSee("covered", f"covered by {output.look}")
    if output.coverage > 0:
        return ViewersSee("thin", f"{output.coverage:.0%} covered by {output.look}: the face shows through")
    return ViewersSee("face", f"your face with {output.look}")
