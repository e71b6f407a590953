"""From a decoded video frame to a picture and a place in time."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from live.pipeline.frame import ImageU8

if TYPE_CHECKING:
    from av import VideoFrame

# AVColorSpace (the matrix numbers of ITU-T H.273) -> the name PyAV gives the same matrix.
_MATRICES = {1: "ITU709", 4: "FCC", 5: "ITU601", 6: "ITU601", 7: "SMPTE240M", 9: "BT2020", 10: "BT2020"}
_UNTOLD, _FULL_RANGE = 2, 2
_LONGEST_GAP_S = 60.0
_LONGEST_BACK_S = 1.0


class ToBgr:
    """Turns frames of one stream into BGR: by the stream's own matrix and range, with square pixels, upright.

    Args:
        pixel_aspect: width of a pixel over its height; None where it is not told.
    """

    def __init__(self, pixel_aspect: Fraction | None) -> None:
        from av.video.reformatter import VideoReformatter

        aspect = float(pixel_aspect or 1)
        self._aspect = aspect if 0.25 < aspect < 4 else 1.0
        self._reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> ImageU8:
        """(H, W, 3) BGR uint8, C-contiguous, of its own memory.

        Raises:
            av.FFmpegError: FFmpeg cannot convert the frame's format.
        """
        options: dict[str, Any] = {"format": "bgr24"}
        if not frame.format.is_rgb and not frame.format.has_palette:
            matrix = int(frame.colorspace)
            if matrix == _UNTOLD:  # what players do: high definition is BT.709, the rest BT.601
                matrix = 1 if frame.height >= 720 or frame.width >= 1280 else 6
            if matrix in _MATRICES:
                # BGR has no matrix, but PyAV before 17 applies the first one only where the second is another.
                options |= {
                    "src_colorspace": _MATRICES[matrix],
                    "dst_colorspace": "ITU601" if matrix == 1 else "ITU709",
                }
            full = frame.color_range == _FULL_RANGE or frame.format.name.startswith("yuvj")
            options |= {"src_color_range": "JPEG" if full else "MPEG", "dst_color_range": "JPEG"}
        if self._aspect != 1:
            options["width"] = max(1, round(frame.width * self._aspect))
        shown = self._reformatter.reformat(frame, **options)
        bgr: ImageU8 = np.asarray(shown.to_ndarray(), np.uint8)
        if shown is frame:  # nothing to convert: these pixels are still the decoder's
            bgr = bgr.copy()
        return np.ascontiguousarray(_upright(bgr, frame))


def _upright(bgr: ImageU8, frame: VideoFrame) -> ImageU8:
    """Apply the display matrix of a video that was filmed with the camera turned, or mirrored.

    The matrix (ISO 14496-12, 9 numbers a b u c d v x y w) takes (x, y) to (a x + c y, b x + d y); only quarter turns
    and flips are applied.
    """
    note: Any = frame.side_data.get("DISPLAYMATRIX")
    if note is None:
        return bgr
    a, b, _, c, d = np.frombuffer(note, np.int32)[:5].tolist()
    if abs(b) > abs(a):
        bgr = cv2.transpose(bgr)  # type: ignore[assignment]
        a, d = c, b
    flips = {(True, True): -1, (True, False): 1, (False, True): 0}
    code = flips.get((a < 0, d < 0))
    return bgr if code is None else cv2.flip(bgr, code)  # type: ignore[return-value]


class StreamClock:
    """Turns a stream's timestamps into seconds that only grow.

    Args:
        frame_s: the nominal time from frame to frame.
        zero_s: the timestamp of the file's beginning.
    """

    def __init__(self, frame_s: float, zero_s: float) -> None:
        self.frame_s = frame_s
        self.last_s: float | None = None
        self._shift_s = -zero_s

    def place_s(self, stamp_s: float | None) -> float:
        """The frame's place in the file in seconds.

        A missing stamp counts one frame on. One that goes back a little comes right after its predecessor; a leap
        back, or ahead by more than a minute, is a clock that was set anew: time goes on by one frame from there.
        """
        last_s = self.last_s
        if stamp_s is None:
            place_s = 0.0 if last_s is None else last_s + self.frame_s
        elif last_s is None:
            place_s = max(0.0, stamp_s + self._shift_s)
        else:
            place_s = stamp_s + self._shift_s
            if not -_LONGEST_BACK_S <= place_s - last_s <= _LONGEST_GAP_S:
                self._shift_s += last_s + self.frame_s - place_s
                place_s = last_s + self.frame_s
            elif place_s <= last_s:
                place_s = last_s + self.frame_s / 8
        self.last_s = place_s
        return place_s
