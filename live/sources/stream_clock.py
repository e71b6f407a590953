"""Conversion of stream timestamps to increasing times."""

from __future__ import annotations

_MAX_GAP_S = 60.0
_MAX_STEP_BACK_S = 1.0


class StreamClock:
    """Converts a stream's timestamps to strictly increasing seconds.

    Args:
        frame_s: Nominal frame interval.
        start_s: Timestamp of the start of the file.
    """

    def __init__(self, frame_s: float, start_s: float) -> None:
        self.frame_s = frame_s
        self.last_s: float | None = None
        self._offset_s = -start_s

    def position_s(self, stamp_s: float | None) -> float:
        """Return the frame's position in the file.

        A missing timestamp counts as one frame interval. A timestamp that steps back a little is placed right after
        its predecessor. A jump back by more than a second, or ahead by more than a minute, is treated as a clock reset:
        the position continues with one frame interval.
        """
        last_s = self.last_s
        if stamp_s is None:
            position_s = 0.0 if last_s is None else last_s + self.frame_s
        elif last_s is None:
            position_s = max(0.0, stamp_s + self._offset_s)
        else:
            position_s = stamp_s + self._offset_s
            if not -_MAX_STEP_BACK_S <= position_s - last_s <= _MAX_GAP_S:
                self._offset_s += last_s + self.frame_s - position_s
                position_s = last_s + self.frame_s
            elif position_s <= last_s:
                position_s = last_s + self.frame_s / 8
        self.last_s = position_s
        return position_s
