"""Conversion of decoded video frames to upright BGR."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from live.pipeline.frame import ImageU8

if TYPE_CHECKING:
    from av import VideoFrame

# AVColorSpace (matrix numbers of ITU-T H.273) -> PyAV's name of the same matrix.
_MATRICES = {1: "ITU709", 4: "FCC", 5: "ITU601", 6: "ITU601", 7: "SMPTE240M", 9: "BT2020", 10: "BT2020"}
_UNSPECIFIED, _FULL_RANGE = 2, 2
_FLIP_CODES = {(True, True): -1, (True, False): 1, (False, True): 0}


class BgrConverter:
    """Converts frames of one stream to BGR: with the stream's matrix and range, square pixels, and upright.

    Args:
        pixel_aspect: Pixel width over pixel height; None if unspecified.
    """

    def __init__(self, pixel_aspect: Fraction | None) -> None:
        from av.video.reformatter import VideoReformatter

        aspect = float(pixel_aspect or 1)
        self._aspect = aspect if 0.25 < aspect < 4 else 1.0
        self._reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> ImageU8:
        """Return (H, W, 3) uint8 BGR, 0..255, C-contiguous, in an array of its own.

        Raises:
            av.FFmpegError: FFmpeg cannot convert the frame's format.
        """
        options: dict[str, Any] = {"format": "bgr24"}
        if not frame.format.is_rgb and not frame.format.has_palette:
            matrix = int(frame.colorspace)
            if matrix == _UNSPECIFIED:  # the convention of players: BT.709 for high definition, else BT.601
                matrix = 1 if frame.height >= 720 or frame.width >= 1280 else 6
            if matrix in _MATRICES:
                # BGR has no matrix, but PyAV before 17 ignores the source matrix unless the destination's differs.
                options |= {
                    "src_colorspace": _MATRICES[matrix],
                    "dst_colorspace": "ITU601" if matrix == 1 else "ITU709",
                }
            full = frame.color_range == _FULL_RANGE or frame.format.name.startswith("yuvj")
            options |= {"src_color_range": "JPEG" if full else "MPEG", "dst_color_range": "JPEG"}
        if self._aspect != 1:
            options["width"] = max(1, round(frame.width * self._aspect))
        converted = self._reformatter.reformat(frame, **options)
        bgr: ImageU8 = np.asarray(converted.to_ndarray(), np.uint8)
        if converted is frame:  # no conversion was needed: the pixels still belong to the decoder
            bgr = bgr.copy()
        return np.ascontiguousarray(_apply_display_matrix(bgr, frame))


def _apply_display_matrix(bgr: ImageU8, frame: VideoFrame) -> ImageU8:
    """Rotate or mirror a frame as its display matrix says.

    The matrix (ISO 14496-12, 9 numbers a b u c d v x y w) maps (x, y) to (a x + c y, b x + d y); only quarter turns
    and flips are applied.
    """
    side_data: Any = frame.side_data.get("DISPLAYMATRIX")
    if side_data is None:
        return bgr
    a, b, _, c, d = np.frombuffer(side_data, np.int32)[:5].tolist()
    if abs(b) > abs(a):
        bgr = cv2.transpose(bgr)  # type: ignore[assignment]
        a, d = c, b
    code = _FLIP_CODES.get((a < 0, d < 0))
    return bgr if code is None else cv2.flip(bgr, code)  # type: ignore[return-value]
