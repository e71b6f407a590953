"""The time line of a film: which stream has its pictures, where it starts, and increasing times from its timestamps."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av import VideoStream
    from av.container import InputContainer

_MAX_GAP_S = 60.0
_MAX_STEP_BACK_S = 1.0
LONGEST_S = 6 * 3600.0  # of one picture: MP4 holds 2**31 ticks of 1/90000 s, and no film needs more
_TS_DISCONT = 0x0200  # FFmpeg's flag of formats whose clock can jump


def can_jump(container: InputContainer) -> bool:
    """Return whether the clock of this kind of file may be reset, as in broadcasts; elsewhere long gaps are real."""
    return bool(container.format.flags & _TS_DISCONT)


def is_jump(step_s: float) -> bool:
    """Return whether a step between two timestamps is a reset of the clock, where the clock can jump."""
    return not -_MAX_STEP_BACK_S <= step_s <= _MAX_GAP_S


def picture_stream(container: InputContainer) -> VideoStream | None:
    """Return the first video stream that can be decoded and is not cover art; None if there is none."""
    from av.stream import Disposition

    for stream in container.streams.video:
        if stream.codec_context is not None and not stream.disposition & Disposition.attached_pic:
            return stream
    return None


def start_of_film_s(container: InputContainer) -> float:
    """Return the timestamp in seconds at which a film starts: its earliest, of pictures and sound.

    If only sound lies before zero, the film starts at zero: its decoder warms up with it, and it is not heard.
    """
    start_s, stream = (container.start_time or 0) / 1e6, picture_stream(container)
    return start_s if stream is None or (stream.start_time or 0) < 0 else max(0.0, start_s)


class StreamClock:
    """Converts a stream's timestamps to strictly increasing seconds.

    Args:
        frame_s: Nominal frame interval.
        start_s: Timestamp of the start of the film.
        can_jump: See `can_jump`.
    """

    def __init__(self, frame_s: float, start_s: float, *, can_jump: bool = True) -> None:
        self.frame_s = frame_s
        self.longest_s = frame_s  # between two frames so far
        self._can_jump = can_jump
        self.last_s: float | None = None
        self._offset_s = -start_s

    def position_s(self, stamp_s: float | None) -> float:
        """Return the frame's position in the file.

        A missing timestamp counts as one frame interval. A timestamp that steps back a little is placed right after
        its predecessor. A jump back by more than a second is treated as a clock reset, as is one ahead by more than a
        minute where the clock can jump, or by more than six hours: the position continues with one frame interval.
        """
        last_s = self.last_s
        if stamp_s is None:
            position_s = 0.0 if last_s is None else last_s + self.frame_s
        elif last_s is None:
            position_s = max(0.0, stamp_s + self._offset_s)
        else:
            position_s = stamp_s + self._offset_s
            step_s = position_s - last_s
            if step_s > LONGEST_S or (is_jump(step_s) and (step_s < 0 or self._can_jump)):
                self._offset_s += last_s + self.frame_s - position_s
                position_s = last_s + self.frame_s
            elif position_s <= last_s:
                position_s = last_s + self.frame_s / 8
        if last_s is not None:  # what precedes the first picture says nothing about their distance
            self.longest_s = max(self.longest_s, position_s - last_s)
        self.last_s = position_s
        return position_s
