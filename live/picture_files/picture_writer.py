"""Writing of pictures and animations, with the depth, transparency, profile and EXIF that the format can hold."""

from __future__ import annotations

import dataclasses
import functools
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from engines.errors import SinkError
from engines.files import atomic_write
from engines.text import one_line
from live.picture_files.avif_colours import compensated
from live.picture_files.deep_encoders import encode_png16, encode_tiff
from live.picture_files.exif_data import with_note
from live.picture_files.gif_palette import as_palette
from live.picture_files.picture import Picture, as_bytes, over_white
from live.picture_files.picture_reader import HEIC_SUFFIXES
from live.picture_files.spooled_frames import SpooledFrames
from live.pipeline.frame import ImageU8
from live.recording.recording_file import error_text


@dataclass(frozen=True, slots=True)
class PictureFormat:
    """What a format can hold.

    Attributes:
        name: Pillow's name of the format.
        options: of Pillow's encoder.
        lossless_options: instead, for pictures with `is_lossless`.
        animation_options: in addition, for animations.
        alpha, depth, profile, exif, frames: whether it holds transparency, 16 bits, a colour profile, EXIF, animation.
        tick_ms: the unit of an animation's times.
        max_side: the largest width and height in pixels.
    """

    name: str
    options: tuple[tuple[str, Any], ...] = ()
    lossless_options: tuple[tuple[str, Any], ...] = ()
    animation_options: tuple[tuple[str, Any], ...] = ()
    alpha: bool = True
    depth: bool = False
    profile: bool = True
    exif: bool = True
    frames: bool = False
    tick_ms: int = 1
    max_side: int = 2**31 - 1


_PNG = PictureFormat("PNG", (("compress_level", 4),), depth=True, frames=True)
_JPEG = PictureFormat(
    "JPEG",
    (("quality", 99), ("subsampling", 0)),
    (("quality", 99), ("keep_rgb", True)),  # the rounding to Y, Cb and Cr alone changes colours by dE 0.5
    alpha=False,
    max_side=65500,
)
_WEBP = PictureFormat(
    "WEBP", (("quality", 100), ("exact", True)), (("lossless", True), ("exact", True)), frames=True, max_side=16383
)
_TIFF = PictureFormat("TIFF", depth=True)
_AVIF = PictureFormat(
    "AVIF",
    (("quality", 99), ("subsampling", "4:4:4"), ("speed", 8)),
    animation_options=(("quality", 97), ("speed", 6)),  # a faster speed leaves small changes between frames out
    frames=True,
    max_side=65536,
)
_GIF = PictureFormat("GIF", profile=False, exif=False, frames=True, tick_ms=10, max_side=65535)
FORMATS = {
    ".png": _PNG, ".apng": _PNG, ".jpg": _JPEG, ".jpeg": _JPEG, ".webp": _WEBP, ".tif": _TIFF, ".tiff": _TIFF,
    ".avif": _AVIF, ".gif": _GIF, ".bmp": PictureFormat("BMP", alpha=False, profile=False, exif=False),
}  # fmt: skip
WRITABLE_SUFFIXES = tuple(FORMATS)
ANIMATION_SUFFIXES = tuple(suffix for suffix, known in FORMATS.items() if known.frames)


def picture_format(path: Path, asked: str = "") -> PictureFormat:
    """Return the format of a file name; `asked` is how the user named the file.

    Raises:
        SinkError: Pictures are not written with this suffix.
    """
    found = FORMATS.get(path.suffix.lower())
    if found is None:
        is_heic = path.suffix.lower() in HEIC_SUFFIXES
        got = f"{path.suffix} is read, not written" if is_heic else f"unknown kind '{path.suffix}'"
        raise SinkError(asked or f"picture '{path}'", got, "end the name in " + ", ".join(WRITABLE_SUFFIXES))
    return found


def write_picture(path: Path | str, bgr: ImageU8, note: str = "") -> None:
    """Write a frame in the format of the suffix; an existing file is replaced atomically.

    Args:
        path: Ends in one of `WRITABLE_SUFFIXES`.
        bgr: (H, W, 3) uint8, BGR, 0..255.
        note: See `Picture`.

    Raises:
        SinkError: As `save_picture`.
    """
    save_picture(path, Picture(np.ascontiguousarray(bgr[:, :, ::-1]), note=note))


def save_picture(path: Path | str, picture: Picture, *, replace: bool = True) -> list[str]:
    """Write a picture in the format of the suffix; an existing file is replaced atomically, or refused.

    Args:
        path: Ends in one of `WRITABLE_SUFFIXES`.
        picture: The picture.
        replace: Replace an existing file.

    Returns:
        What the format cannot hold and was converted or left out.

    Raises:
        SinkError: The suffix is not written, the folder is missing or not writable, the disk is full, or the picture
            is too large for the format, or the file exists and is not replaced.
    """
    path = Path(path)
    known, what = picture_format(path), f"picture '{path}'"
    _check_size(what, picture.rgb.shape[1::-1], known)
    fitting, lost = fit_to_format(picture, known)
    try:
        try:
            data = _encoded(_with_note(fitting, known), known)
        except ValueError:
            if not fitting.exif:
                raise
            fitting = dataclasses.replace(fitting, exif=b"")  # it was longer than a JPEG may hold
            data, lost = _encoded(_with_note(fitting, known), known), [*lost, "EXIF"]
    except Exception as error:  # encoders raise any type
        raise _encoder_error(what, error, known) from None
    _write(what, path, data, replace=replace)
    return lost


def save_animation(
    path: Path, frames: SpooledFrames, durations_ms: Sequence[float], *, plays: int, like: Picture
) -> None:
    """Write an animation in the format of the suffix; an existing file is replaced atomically.

    Args:
        path: Ends in one of `ANIMATION_SUFFIXES`.
        frames: that `to_pillow` returned for the format.
        durations_ms: of the frames.
        plays: how often it is played; 0 without end.
        like: a picture with the profile and the EXIF, as `fit_to_format` returned it.

    Raises:
        SinkError: As `save_picture`.
    """
    known, what = picture_format(path), f"animation '{path}'"
    _check_size(what, frames.size, known)
    options = _options(_with_note(like, known), known) | dict(known.animation_options)
    if known.name == "GIF":
        options |= {"disposal": 2 if frames.has_alpha else 1, "optimize": False}
        options |= {} if plays == 1 else {"loop": max(0, plays - 1)}
    else:
        options |= {"loop": plays}
    file = io.BytesIO()
    try:
        frames.seek(0)
        frames.save(file, known.name, save_all=True, duration=_in_ticks(durations_ms, known.tick_ms), **options)
    except Exception as error:  # encoders raise any type
        raise _encoder_error(what, error, known) from None
    _write(what, path, file.getvalue())


def fit_to_format(picture: Picture, known: PictureFormat) -> tuple[Picture, list[str]]:
    """Convert what the format cannot hold; return the picture and what was lost."""
    rgb, alpha, profile, lost = picture.rgb, picture.alpha, picture.profile, []
    if rgb.dtype == np.uint16 and not known.depth:
        rgb, alpha = as_bytes(rgb), as_bytes(alpha)
        lost.append("16 bits per channel")
    if profile is not None and not known.profile:
        rgb, profile = profile.to_srgb(rgb), None
        lost.append("colour profile")
    if alpha is not None and not known.alpha:
        rgb, alpha = over_white(rgb, alpha), None
        lost.append("transparency")
    if picture.exif and not known.exif:
        lost.append("EXIF")
    if picture.note and not (known.exif or known.name == "GIF"):
        lost.append("the note that a face was swapped")
    exif = picture.exif if known.exif else b""
    return dataclasses.replace(picture, rgb=rgb, alpha=alpha, profile=profile, exif=exif), lost


def to_pillow(picture: Picture, known: PictureFormat) -> Image.Image:
    """Return an 8-bit picture for Pillow's encoder of a format that it fits: L, RGB, RGBA, or P for GIF."""
    if known.name == "GIF":
        return as_palette(picture)
    if picture.is_grey and picture.alpha is None:
        return Image.fromarray(np.ascontiguousarray(picture.rgb[:, :, 0]))
    rgb = compensated(picture.rgb, has_alpha=picture.alpha is not None) if known.name == "AVIF" else picture.rgb
    return Image.fromarray(np.ascontiguousarray(rgb if picture.alpha is None else np.dstack([rgb, picture.alpha])))


def _encoded(picture: Picture, known: PictureFormat) -> bytes:
    icc = picture.profile.icc if picture.profile else b""
    if known.name == "TIFF":
        return encode_tiff(picture, icc)
    if picture.rgb.dtype == np.uint16:
        return encode_png16(picture, icc)
    file = io.BytesIO()
    to_pillow(picture, known).save(file, known.name, **_options(picture, known))
    return file.getvalue()


def _with_note(picture: Picture, known: PictureFormat) -> Picture:
    """Return the picture with its note in the EXIF, if the format holds EXIF."""
    return dataclasses.replace(picture, exif=with_note(picture.exif, picture.note)) if known.exif else picture


def _options(picture: Picture, known: PictureFormat) -> dict[str, Any]:
    """Return the options of Pillow's encoder, with the profile and the EXIF."""
    options = dict(known.lossless_options if known.lossless_options and picture.is_lossless else known.options)
    if known.name == "JPEG" and picture.jpeg_tables:
        options["qtables"] = _fine_tables(picture.jpeg_tables)
    options |= {"icc_profile": picture.profile.icc} if picture.profile else {}
    options |= {"comment": picture.note.encode()} if picture.note and known.name == "GIF" else {}
    return options | ({"exif": picture.exif} if picture.exif else {})


def _fine_tables(tables: tuple[tuple[int, ...], ...]) -> list[list[int]]:
    """Return quantization tables, luma and chroma, that are nowhere coarser than the file's nor than quality 95.

    With the same tables, pixels that were not painted are coded as they were.
    """
    finest = [tables[0], tables[min(1, len(tables) - 1)]]
    return [
        [min(pair) for pair in zip(own, usual, strict=True)] for own, usual in zip(finest, _usual_tables(), strict=True)
    ]


@functools.lru_cache(1)
def _usual_tables() -> list[list[int]]:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", quality=95)
    with Image.open(file) as written:
        return list(written.quantization.values())  # type: ignore[attr-defined]


def _in_ticks(durations_ms: Sequence[float], tick_ms: int) -> list[int]:
    """Round the end of each frame to the format's unit, so that the errors do not add up."""
    ends = np.rint(np.cumsum(durations_ms) / tick_ms).astype(int) * tick_ms
    return [int(duration) for duration in np.diff(ends, prepend=0)]


def _check_size(what: str, size_wh: Sequence[int], known: PictureFormat) -> None:
    """Raise SinkError if a picture is too large for the format."""
    if max(size_wh) > known.max_side:
        got = f"{size_wh[0]}x{size_wh[1]} is too large: {known.name} has at most {known.max_side} pixels a side"
        raise SinkError(what, got, "write a .png")


def _encoder_error(what: str, error: Exception, known: PictureFormat) -> SinkError:
    """Return the cause for which an encoder failed."""
    if isinstance(error, MemoryError):
        return SinkError(what, "there is not enough memory", "free some, or use a smaller picture")
    if isinstance(error, OSError) and error.errno is not None:
        return SinkError(what, error_text(error), "choose another place")
    return SinkError(what, f"the {known.name} encoder failed ({one_line(error)})", "write another format")


def _write(what: str, path: Path, data: bytes, *, replace: bool = True) -> None:
    try:
        atomic_write(path, data, replace=replace)
    except FileExistsError:
        raise SinkError(what, "it was made meanwhile", "name another file, or leave out --no-clobber") from None
    except OSError as error:
        raise SinkError(what, error_text(error), "choose another place") from None
