"""Reading of picture files: stills and animations, any depth, with transparency, colour profile and EXIF."""

from __future__ import annotations

import functools
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from pillow_heif import register_heif_opener

from engines.errors import SourceError
from engines.untrusted_files import read_whole
from live.picture_files.colour_profile import ColourProfile, as_srgb
from live.picture_files.exif_data import kept_exif, orientation
from live.picture_files.picture import Picture, Pixels
from live.picture_files.picture_header import avif_bits, can_hold_pixels, header_size_wh, picture_kind, safe_png
from live.pipeline.frame import ImageU8, as_bgr
from live.recording.recording_file import error_text
from live.tracking.quiet_stderr import quiet_stderr

HEIC_SUFFIXES = (".heic", ".heif", ".hif")  # read, not written
PICTURE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".apng", ".avif", *HEIC_SUFFIXES,
)  # fmt: skip
MAX_PIXELS = 120_000_000  # above the largest phone cameras; 360 MB as BGR
_MAX_BYTES = 500_000_000
_READABLE_KINDS = "pictures are read from png, jpg, webp, bmp, tiff, gif, avif and heic files"
_ANIMATED_KINDS = ("PNG", "WEBP", "GIF", "AVIF")
_JPEG_END = b"\xff\xd9"  # libjpeg stops there and fills the rest with grey
_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262  # TIFF tags
_FLIP_CODES = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}  # by EXIF orientation, after the transposition of 5 to 8

logging.getLogger("PIL").setLevel(logging.CRITICAL)  # the errors are raised too
Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # also stops GIF frames that are larger than the file's header says
register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)


class PictureFile:
    """An open picture file: one picture, or the frames of an animation.

    Args:
        path: A file in one of the formats of `PICTURE_SUFFIXES`, whatever its name.

    Attributes:
        path: As given.
        frame_count: Number of frames as the header says; 1 for a still.
        plays: How often an animation is played; 0 without end.
        notes: What is not read of the file, for the user.

    Raises:
        SourceError: The file does not exist, cannot be read, is not a picture, or has more than 120 megapixels.
    """

    def __init__(self, path: Path | str) -> None:
        self.path, self._requested = Path(path), f"picture '{path}'"
        try:
            data = read_whole(self.path, _MAX_BYTES)
        except OSError as error:
            raise SourceError(self._requested, error_text(error), "check the path") from None
        if not data:
            raise SourceError(self._requested, "the file is empty", "make or copy it again")
        self._data, self._kind = data, picture_kind(data[:32])
        self.notes: list[str] = []
        self._image = self._open()
        self._first = int(bool(getattr(self._image, "default_image", False)))  # of an APNG: not part of the animation
        pages = _frame_count(self._image) - self._first
        self.frame_count = pages if self._kind in _ANIMATED_KINDS else 1
        if pages > self.frame_count and self._kind in ("TIFF", "HEIF"):  # JPEG: gain maps and other parts of a photo
            self.notes.append(f"the first of {pages} pictures in the file is used")
        self.plays = _plays(self._image, self._kind)
        if (bits := _bits(self._image, self._kind, data)) > 8:
            self.notes.append(f"its {bits} bits per channel are read as 8")

    def frames(self) -> Iterator[Picture]:
        """Decode the frames one after the other.

        Raises:
            SourceError: A frame is damaged; those before it have been returned.
        """
        for index in range(self.frame_count):
            try:
                yield self._decoded(index)
            except EOFError:
                raise SourceError(self._requested, f"{index} of {self.frame_count} frames can be read") from None

    def still(self) -> Picture:
        """Return the only picture.

        Raises:
            SourceError: It is damaged, or the file is an animation.
        """
        if self.frame_count > 1:
            got = f"it is an animation of {self.frame_count} frames"
            raise SourceError(self._requested, got, "use a still picture; `veneer apply` renders animations")
        return next(self.frames())

    @quiet_stderr(show_failures=False)  # libpng, libjpeg, libtiff and OpenCV print what they find
    def _open(self) -> Image.Image | None:
        """Return the open picture; None for a TIFF that only OpenCV can read.

        Raises:
            SourceError: The header is damaged or states a size above the limit.
        """
        if self._kind is None:
            raise self._damaged()
        size_wh = header_size_wh(self._data, self._kind)
        self._check_size(size_wh or (1, 1))
        if self._kind == "PNG" and size_wh and not can_hold_pixels(self._data, size_wh):
            raise self._damaged()
        image = None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                image = Image.open(io.BytesIO(self._data), formats=[self._kind])
            self._check_size(image.size)
        except SourceError:
            raise
        except Image.DecompressionBombError:
            raise self._too_large("it") from None
        except Exception:  # Pillow raises any type for damaged files
            if self._kind != "TIFF" or size_wh is None:
                raise self._damaged() from None
        return image

    def _check_size(self, size_wh: tuple[int, int]) -> None:
        if min(size_wh) < 1:
            raise self._damaged()
        if size_wh[0] * size_wh[1] > MAX_PIXELS:
            raise self._too_large(f"{size_wh[0]}x{size_wh[1]}")

    def _too_large(self, what: str) -> SourceError:
        return SourceError(
            self._requested, f"{what} has more than {MAX_PIXELS / 1e6:g} million pixels", "make it smaller"
        )

    def _damaged(self) -> SourceError:
        return SourceError(self._requested, "the file is damaged or is no picture", _READABLE_KINDS)

    @quiet_stderr(show_failures=False)
    def _decoded(self, index: int) -> Picture:
        """Decode a frame.

        Raises:
            EOFError: It is missing or damaged, and not the first.
            SourceError: The first is damaged, or too large for the memory.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                if self._image is not None and self.frame_count > 1:
                    self._image.seek(index + self._first)
                try:
                    return self._picture()
                except OSError:
                    if self._kind != "JPEG":
                        raise
                    self._image = Image.open(io.BytesIO(self._data + _JPEG_END), formats=["JPEG"])
                    picture = self._picture()
                    self.notes.append("the file is truncated; what is missing of it is grey")
                    return picture
            except Exception as error:  # Pillow, libheif and OpenCV raise any type for damaged files
                failure = error
        if index:
            raise EOFError
        if isinstance(failure, MemoryError):
            raise SourceError(self._requested, "the picture is too large for the memory", "make it smaller")
        raise self._damaged()

    def _picture(self) -> Picture:
        image = self._image
        if image is None or _is_deep(image, self._kind, self._data):
            rgb, alpha, is_grey = _deep_pixels(self._data, self._kind)
            turn, exif, icc = 1, b"", None
            if image is not None:
                turn = orientation(image) if self._kind == "PNG" else 1  # OpenCV turns TIFF
                exif, icc = kept_exif(image), image.info.get("icc_profile")
        else:
            turn = orientation(image) if self._kind != "TIFF" else 1  # Pillow turns TIFF
            exif, icc = kept_exif(image), image.info.get("icc_profile")
            image.load()
            is_grey = image.mode in ("1", "L", "LA", "La", "I", "F")
            icc = icc if image.mode in ("RGB", "RGBA", "P", "PA") else None
            rgb, alpha = _pixels(image)
        profile = self._profile(icc) if not is_grey else None
        is_cmyk = getattr(image, "mode", "") == "CMYK"
        is_lossless = self._kind not in ("JPEG", "AVIF", "HEIF") or is_cmyk
        duration_ms = float(image.info.get("duration") or 0) if image is not None and self.frame_count > 1 else 0.0
        rgb, alpha = _turned(rgb, turn), None if alpha is None else _turned(alpha, turn)
        tables = {} if is_cmyk else getattr(image, "quantization", {})
        return Picture(rgb, alpha, profile, exif, is_grey, is_lossless, duration_ms, tuple(map(tuple, tables.values())))

    def _profile(self, icc: bytes | None) -> ColourProfile | None:
        try:
            return _profile_of(icc) if icc else None
        except ValueError:
            note = "the colour profile is damaged or not for RGB; sRGB is used"
            self.notes += [note] if note not in self.notes else []
            return None


def read_picture(path: Path | str) -> ImageU8:
    """Read a still picture as it is seen: upright, in sRGB, over white where it is transparent.

    Of a TIFF or HEIC file with several pictures the first is read.

    Returns:
        (H, W, 3) uint8, BGR, 0..255.

    Raises:
        SourceError: As `PictureFile`, or the file is an animation.
    """
    return PictureFile(path).still().frame_bgr


@functools.lru_cache(4)
def _profile_of(icc: bytes) -> ColourProfile:
    """Return the profile; the frames of an animation share it."""
    return ColourProfile(icc)


def _frame_count(image: Image.Image | None) -> int:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return max(1, int(getattr(image, "n_frames", 1)))
    except Exception:  # damaged later pages do not make the first unusable
        return 1


def _bits(image: Image.Image | None, kind: str | None, data: bytes) -> int:
    """Return the bits per channel of a format that is read in 8 bits only; 8 for the others."""
    if kind == "AVIF":
        return avif_bits(data)
    return int(image.info.get("bit_depth") or 8) if image is not None and kind == "HEIF" else 8


def _plays(image: Image.Image | None, kind: str | None) -> int:
    """Return how often an animation is played; 0 without end. GIF counts the repetitions after the first time."""
    loop = image.info.get("loop") if image is not None else None
    if kind == "GIF":
        return 1 if loop is None else loop and loop + 1
    return loop or 0


def _is_deep(image: Image.Image, kind: str | None, data: bytes) -> bool:
    """Whether the file has more than 8 bits per channel, which Pillow reduces in colour pictures."""
    if kind == "PNG":
        return data[24] == 16 and getattr(image, "n_frames", 1) == 1
    if kind != "TIFF":
        return False
    tags = image.tag_v2  # type: ignore[attr-defined]
    return max(tags.get(_BITS_PER_SAMPLE, (1,))) > 8 and tags.get(_PHOTOMETRIC) in (0, 1, 2)


def _deep_pixels(data: bytes, kind: str | None) -> tuple[Pixels, Pixels | None, bool]:
    """Decode with OpenCV; return colours and alpha in 16 bits (8 if it is no 16-bit file), and whether it is grey."""
    safe = safe_png(data) if kind == "PNG" else data
    decoded = None if safe is None else cv2.imdecode(np.frombuffer(safe, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise ValueError("OpenCV does not read it")
    if decoded.dtype != np.uint16:
        return as_bgr(decoded)[:, :, ::-1], None, decoded.ndim == 2
    if decoded.ndim == 2:
        return np.repeat(decoded[:, :, None], 3, axis=2), None, True
    alpha = decoded[:, :, 3] if decoded.shape[2] == 4 else None
    return np.ascontiguousarray(decoded[:, :, 2::-1]), _unless_opaque(alpha), False


def _pixels(image: Image.Image) -> tuple[Pixels, Pixels | None]:
    """Return the colours (H, W, 3) and alpha (H, W) of a picture that Pillow decodes, in 8 bits."""
    if not image.has_transparency_data:
        return np.asarray(as_srgb(image)), None
    rgba = np.asarray(image.convert("RGBA"))
    return np.ascontiguousarray(rgba[:, :, :3]), _unless_opaque(rgba[:, :, 3])


def _unless_opaque(alpha: Pixels | None) -> Pixels | None:
    is_opaque = alpha is None or alpha.min() == np.iinfo(alpha.dtype).max
    return None if is_opaque else np.ascontiguousarray(alpha)


def _turned(pixels: Pixels, turn: int) -> Pixels:
    """Apply an EXIF orientation (TIFF 6.0, tag 274: the visual position of row 0 and column 0)."""
    if turn in (5, 6, 7, 8):
        pixels = cv2.transpose(pixels)
    return cv2.flip(pixels, _FLIP_CODES[turn]) if turn in _FLIP_CODES else pixels
