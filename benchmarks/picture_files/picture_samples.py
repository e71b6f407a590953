"""Picture files of many makes with the same face, as programs and cameras write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.ExifTags import IFD, Base

from benchmarks.picture_files.rgb_profiles import ADOBE_RGB, DISPLAY_P3, PROPHOTO, SRGB, RgbProfile
from live.portrait import portrait_bgr

Pixels = NDArray[Any]
DURATIONS_MS = (100, 200, 40, 50, 300, 120)
SIDE = 320
_STORED: dict[int, Callable[[Pixels], Pixels]] = {  # an upright picture as it is stored, by EXIF orientation
    1: lambda p: p, 3: lambda p: p[::-1, ::-1], 6: lambda p: np.rot90(p, 1), 8: lambda p: np.rot90(p, -1),
}  # fmt: skip


def face_rgb() -> Pixels:
    """Return the built-in portrait's face, (320, 320, 3) uint8 RGB."""
    return np.ascontiguousarray(portrait_bgr()[:SIDE, 60 : 60 + SIDE, ::-1])


def alpha_ramp() -> Pixels:
    """Return (320, 320) uint8: transparent at the left edge, opaque from a quarter of the width on."""
    return np.tile(np.clip(np.arange(SIDE) * 4, 0, 255).astype(np.uint8), (SIDE, 1))


def deep(rgb: Pixels) -> Pixels:
    """Return 16-bit values of 8-bit ones, of the same shape, with random low bits."""
    low = np.random.default_rng(0).integers(0, 256, rgb.shape, np.uint16)
    return (rgb.astype(np.uint16) << 8) | low


def portrait_rgb(path: Path) -> Pixels:
    """Return the middle of a portrait file, (320, 320, 3) uint8 RGB."""
    with Image.open(path) as picture:
        return np.asarray(ImageOps.fit(picture.convert("RGB"), (SIDE, SIDE), Image.Resampling.LANCZOS))


def moving(portrait: Pixels | None = None) -> list[Image.Image]:
    """Return (320, 320) RGB frames of an animation: the portrait, shifted by a few pixels in each."""
    face = Image.fromarray(face_rgb() if portrait is None else portrait)
    return [face.transform(face.size, Image.Transform.AFFINE, (1, 0, 3 * i, 0, 1, i)) for i in range(len(DURATIONS_MS))]


def camera_exif(orientation: int = 1) -> bytes:
    """Return EXIF as cameras write it: maker, exposure, place, a maker note and a thumbnail in a second directory."""
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Model], exif[Base.Orientation] = "Maker", "Camera 1", orientation
    exif[IFD.Exif] = {Base.DateTimeOriginal: "2026:11:28 10:00:00", Base.MakerNote: b"a preview of the bare face"}
    exif[IFD.GPSInfo] = {1: "N", 2: (47.0, 22.0, 10.0)}
    return exif.tobytes()


def write_stills(folder: Path, portrait: Pixels | None = None) -> None:
    """Write one picture of each make into a folder, of the built-in face or of a (320, 320, 3) uint8 RGB portrait."""
    face, ramp = face_rgb() if portrait is None else portrait, alpha_ramp()
    _png_and_tiff(folder, face, ramp)
    for name, profile in {"adobe": ADOBE_RGB, "prophoto": PROPHOTO, "p3": DISPLAY_P3}.items():
        pixels = Image.fromarray(profile.encoded(SRGB, face))
        pixels.save(folder / f"{name}.png", icc_profile=profile.icc())
        pixels.save(folder / f"{name}.jpg", icc_profile=profile.icc(), quality=92)
    rgb, rgba = Image.fromarray(face), Image.fromarray(np.dstack([face, ramp]))
    rgb.save(folder / "plain.jpg", quality=85)
    rgb.save(folder / "fine.jpg", quality=97, subsampling=0, progressive=True)
    rgb.convert("L").save(folder / "grey.jpg", quality=92)
    rgb.convert("CMYK").save(folder / "cmyk.jpg", quality=92)
    turned = Image.fromarray(np.ascontiguousarray(_STORED[8](face)))
    turned.save(folder / "turned8.jpg", exif=camera_exif(8), quality=92)
    rgb.save(folder / "lossy.webp", quality=80)
    rgba.save(folder / "lossless_alpha.webp", lossless=True, exact=True)
    rgba.save(folder / "lossy_alpha.webp", quality=80)
    Image.fromarray(ADOBE_RGB.encoded(SRGB, face)).save(
        folder / "adobe.webp", icc_profile=ADOBE_RGB.icc(), lossless=True
    )
    rgb.save(folder / "plain.bmp")
    rgb.quantize(256).save(folder / "still.gif")
    rgb.save(folder / "plain.avif", quality=80)
    rgba.save(folder / "alpha.avif", quality=80)
    _heic(folder, rgb)


def write_animations(folder: Path, portrait: Pixels | None = None) -> None:
    """Write one animation of each make into a folder; see `write_stills`."""
    frames, ramp = moving(portrait), alpha_ramp()
    clear = [Image.fromarray(np.dstack([np.asarray(frame), ramp])) for frame in frames]
    times: dict[str, Any] = {"save_all": True, "duration": list(DURATIONS_MS)}
    frames[0].save(folder / "moving.gif", append_images=frames[1:], loop=2, **times)
    frames[0].save(folder / "moving.webp", append_images=frames[1:], loop=3, quality=85, **times)
    clear[0].save(folder / "moving_clear.webp", append_images=clear[1:], loop=0, lossless=True, exact=True, **times)
    clear[0].save(folder / "moving_clear.png", append_images=clear[1:], loop=0, **times)
    frames[0].save(folder / "moving.avif", append_images=frames[1:], quality=80, speed=8, **times)


def _png_and_tiff(folder: Path, face: Pixels, ramp: Pixels) -> None:
    rgb, rgba = Image.fromarray(face), Image.fromarray(np.dstack([face, ramp]))
    rgb.save(folder / "plain.png")
    rgba.save(folder / "alpha.png")
    rgb.convert("L").save(folder / "grey.png")
    rgb.quantize(200).save(folder / "palette.png")
    turned = Image.fromarray(np.ascontiguousarray(_STORED[6](face)))
    turned.save(folder / "turned6.png", exif=camera_exif(6))
    rgb.save(folder / "lzw.tif", compression="tiff_lzw")
    Image.fromarray(np.ascontiguousarray(_STORED[3](face))).save(folder / "turned3.tif", exif=camera_exif(3))
    for suffix in ("png", "tif"):
        cv2.imwrite(str(folder / f"deep.{suffix}"), deep(face)[:, :, ::-1])
        cv2.imwrite(str(folder / f"deep_alpha.{suffix}"), np.dstack([deep(face)[:, :, ::-1], deep(ramp)]))
        cv2.imwrite(str(folder / f"deep_grey.{suffix}"), deep(face)[:, :, 1])
    write_deep_tiff(folder / "deep_prophoto.tif", PROPHOTO.encoded(SRGB, face, np.uint16), PROPHOTO)


def write_deep_tiff(path: Path, rgb: Pixels, profile: RgbProfile) -> None:
    """Write (H, W, 3) uint16 RGB with a profile, by another library than the one under test."""
    import tifffile

    tifffile.imwrite(path, rgb, photometric="rgb", iccprofile=profile.icc())


def _heic(folder: Path, rgb: Image.Image) -> None:
    pillow_heif.register_heif_opener()
    rgb.save(folder / "phone.heic", quality=90, exif=camera_exif())
    turned = Image.fromarray(np.ascontiguousarray(_STORED[6](np.asarray(rgb))))
    turned.save(folder / "phone_turned.heic", quality=90, exif=camera_exif(6))
