"""Conversion of decoded video frames to upright BGR pictures: matrix, range, HDR, interlacing and pixel aspect."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from live.pipeline.frame import BT709, ColourTags, ImageU8
from live.sources.hdr_table import HDR_TRANSFERS, write_cube

if TYPE_CHECKING:
    from av import VideoFrame
    from av.filter import Graph
    from av.filter.context import FilterContext

_MATRICES = (1, 4, 5, 6, 7, 9)  # numbers of ITU-T H.273 that FFmpeg's scaler converts
_BT709, _BT601, _BT2020 = 1, 6, 9
_UNSPECIFIED, _RESERVED = 2, (0, 3)
_LIMITED, _FULL = 1, 2
_FLIP_CODES = {(True, True): -1, (True, False): 1, (False, True): 0}

# Chroma is repeated and not interpolated, so that writing the picture as 4:2:0 again restores the same chroma. The
# other flags select the arithmetic that rounds correctly: without them every pass darkens by one level.
_EXACT = "flags=neighbor+accurate_rnd+full_chroma_int"
_SMOOTH = "flags=bicubic+accurate_rnd+full_chroma_int"


class Picture(NamedTuple):
    """A converted frame.

    Attributes:
        bgr: (H, W, 3) uint8 BGR, 0..255, C-contiguous, in an array of its own.
        stamp_s: Presentation time of its stream in seconds; None if the stream states none.
        colour: Primaries and transfer of the pixels, and the matrix that the frame had.
        duration_s: How long it is shown, in seconds; 0 if the stream does not state it.
    """

    bgr: ImageU8
    stamp_s: float | None
    colour: ColourTags
    duration_s: float


class BgrConverter:
    """Converts the frames of one stream to BGR through an FFmpeg filter graph.

    SDR pixels keep their primaries and transfer, which `Picture.colour` names. HDR becomes BT.709. Interlaced frames
    are deinterlaced, one picture for each frame.

    Args:
        pixel_aspect: Pixel width over pixel height; None if unspecified.
        time_base: Of the stream.

    Attributes:
        notes: What was converted, for the user.
    """

    def __init__(self, pixel_aspect: Fraction | None, time_base: Fraction | None) -> None:
        aspect = float(pixel_aspect or 1)
        is_square = abs(aspect - 1) < 0.01 or not 0.25 < aspect < 4  # a difference of 1 % comes from rounded sizes
        self._aspect = 1.0 if is_square else aspect
        self._time_base = time_base or Fraction(1, 90000)
        self._is_interlaced = False
        self.notes: list[str] = []

    def __call__(self, frames: Iterable[VideoFrame]) -> Iterator[Picture]:
        """Yield one picture for each frame, in order. The properties of the frames may change.

        Raises:
            av.FFmpegError: FFmpeg cannot convert a frame's format.
        """
        graph: _Graph | None = None
        for frame in frames:
            if frame.interlaced_frame and not self._is_interlaced:
                self._is_interlaced = True
                self.notes.append("interlaced frames were deinterlaced")
            properties = _properties(frame)
            if graph is None or graph.properties != properties or graph.deinterlaces != self._is_interlaced:
                if graph is not None:
                    yield from graph.flushed()
                graph = _Graph(properties, self._aspect, self._time_base, deinterlace=self._is_interlaced)
                self._note_hdr(properties.transfer)
            yield from graph.pushed(frame)
        if graph is not None:
            yield from graph.flushed()

    def _note_hdr(self, transfer: int) -> None:
        note = f"HDR ({HDR_TRANSFERS.get(transfer)}) was converted to SDR (BT.709)"
        if transfer in HDR_TRANSFERS and note not in self.notes:
            self.notes.append(note)


class _Properties(NamedTuple):
    """What a filter graph depends on. `is_yuv` is true of grey too; the others are numbers of ITU-T H.273."""

    format: str
    width: int
    height: int
    is_yuv: bool
    matrix: int
    range: int
    primaries: int
    transfer: int


def _properties(frame: VideoFrame) -> _Properties:
    """Return the properties of a frame, with the conventions of players for what it leaves open."""
    is_yuv = not frame.format.is_rgb and not frame.format.has_palette
    matrix = _BT2020 if int(frame.colorspace) == 10 else int(frame.colorspace)  # constant luminance: no file has it
    if matrix not in _MATRICES or not is_yuv:
        is_hd = frame.height >= 720 or frame.width >= 1280 or not is_yuv
        matrix = _BT709 if is_hd else _BT601
    is_full = frame.color_range == _FULL or frame.format.name.startswith("yuvj")
    primaries, transfer = (
        _UNSPECIFIED if number in _RESERVED else number for number in (frame.color_primaries, frame.color_trc)
    )
    range_ = _FULL if is_full else _LIMITED
    return _Properties(frame.format.name, frame.width, frame.height, is_yuv, matrix, range_, primaries, transfer)


class _Graph:
    """A filter graph for frames of the same properties."""

    def __init__(self, properties: _Properties, aspect: float, time_base: Fraction, *, deinterlace: bool) -> None:
        import av.filter

        self.properties, self.deinterlaces = properties, deinterlace
        is_hdr = properties.transfer in HDR_TRANSFERS
        own = ColourTags(properties.primaries, properties.transfer, properties.matrix)
        self._colour = BT709 if is_hdr else own
        self._needs_copy = properties.format == "bgr24"  # not converted: the pixels still belong to the decoder
        self._graph = av.filter.Graph()
        nodes = [self._buffer(properties, time_base)]
        if deinterlace:
            nodes.append(self._graph.add("bwdif", mode="send_frame", deint="interlaced"))
        if is_hdr:
            nodes += [self._graph.add("scale", _SMOOTH), self._graph.add("format", "gbrp16")]
            nodes.append(_hdr_filter(self._graph, properties.transfer))
        width = max(1, round(properties.width * aspect))
        size = "" if width == properties.width else f":w={width}:h={properties.height}"
        nodes.append(self._graph.add("scale", (_SMOOTH if size else _EXACT) + size))
        self._sink = self._graph.add("buffersink")
        self._graph.link_nodes(*nodes, self._graph.add("format", "bgr24"), self._sink).configure()
        self._source = nodes[0]

    def _buffer(self, properties: _Properties, time_base: Fraction) -> FilterContext:
        size = f"video_size={properties.width}x{properties.height}"
        arguments = f"{size}:pix_fmt={properties.format}:time_base={time_base.numerator}/{time_base.denominator}"
        if properties.is_yuv:
            arguments += f":colorspace={properties.matrix}:range={properties.range}"
        return self._graph.add("buffer", arguments)

    def pushed(self, frame: VideoFrame) -> Iterator[Picture]:
        """Yield the pictures that are complete with this frame."""
        if self.properties.is_yuv:
            frame.colorspace, frame.color_range = self.properties.matrix, self.properties.range
        frame.color_primaries = frame.color_trc = _UNSPECIFIED  # the scaler refuses reserved numbers
        self._source.push(frame)
        yield from self._pulled()

    def flushed(self) -> Iterator[Picture]:
        """Yield the last pictures."""
        self._source.push(None)
        yield from self._pulled()

    def _pulled(self) -> Iterator[Picture]:
        import av

        while True:
            try:
                frame: Any = self._sink.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            bgr: ImageU8 = np.asarray(frame.to_ndarray(), np.uint8)
            if self._needs_copy:
                bgr = bgr.copy()
            stamp_s = None if frame.pts is None else float(frame.pts * frame.time_base)
            upright_bgr = np.ascontiguousarray(_apply_display_matrix(bgr, frame))
            yield Picture(upright_bgr, stamp_s, self._colour, float(frame.duration * frame.time_base))


def _hdr_filter(graph: Graph, transfer: int) -> FilterContext:
    with tempfile.TemporaryDirectory() as folder:  # the filter reads its file at once
        path = Path(folder, "hdr.cube")
        write_cube(path, transfer)
        return graph.add("lut3d", file=str(path))


def _apply_display_matrix(bgr: ImageU8, frame: VideoFrame) -> ImageU8:
    """Rotate or mirror a frame as its display matrix says.

    The matrix (ISO 14496-12, 9 numbers a b u c d v x y w) maps (x, y) to (a x + c y, b x + d y); only quarter turns
    and flips are applied.
    """
    try:
        side_data: Any = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # another kind of side data that PyAV has no name for: EXIF, the eyes of spatial films
        return np.rot90(bgr, round(frame.rotation / 90))
    if side_data is None:
        return bgr
    a, b, _, c, d = np.frombuffer(side_data, np.int32)[:5].tolist()
    if abs(b) > abs(a):
        bgr = cv2.transpose(bgr)  # type: ignore[assignment]
        a, d = c, b
    code = _FLIP_CODES.get((a < 0, d < 0))
    return bgr if code is None else cv2.flip(bgr, code)  # type: ignore[return-value]
