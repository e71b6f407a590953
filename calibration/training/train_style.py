"""The photos of a look from one picture, with masks of eyes and mouth."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calibration.sets.region_collector import photos_in, sampled
from engines.errors import OptionsError, SourceError
from engines.painting.gatys import resized
from engines.painting.transfer_file import load_transfer, paint_once, style_signals
from engines.training.data.paired_dataset import PairedDataset, terms_of
from engines.training.data.picture_pairs import ImageU8, Skipped, cropped_to, read_rgb
from engines.training.methods.painted import PaintedConfig
from live.picture_files.picture_reader import read_picture
from live.pipeline.frame import Face, Frame
from live.tracking.face_mesh import FaceMeshTracker

_MIN_PHOTOS, _MOST_PHOTOS = 4, 600  # of 256 pixels: 0.3 GB
_COLOUR_BINS, _COLOUR_SIGMA = 16, 1.2  # of each of red, green and blue
_GLOW_PX = 4.0
_PAINTED_SCALE, _MEDIAN_PX, _BILATERAL = 1.5, 5, (5, 30, 3)
_BUILT_IN = ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg", "motorcycle_left.png")  # of scikit-image
# Face mesh: outlines of both eyes with their brows, and of the lips.
_KEPT = (
    (70, 63, 105, 66, 107, 133, 155, 154, 153, 145, 144, 163, 7, 33),
    (336, 296, 334, 293, 300, 263, 249, 390, 373, 374, 380, 381, 382, 362),
    (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146),
)


def style_photos(
    folder: Path | None, most: int | None, side_px: int, seed: int, *, on_photo: Callable[[int], None]
) -> tuple[PairedDataset, Skipped]:
    """Read the photos of a folder, or those that come with scikit-image, as pairs of photo and (photo, mask).

    Raises OptionsError if there are too few photos; TrackingError if there is no face model.
    """
    with closing(FaceMeshTracker(max_faces=4, smooth=False, still=True)) as tracker:

        def target(photo_rgb: ImageU8) -> ImageU8:
            faces = tracker.track(Frame(np.ascontiguousarray(photo_rgb[:, :, ::-1]), 0, 0.0))
            mask = eyes_and_mouths(faces, side_px)
            return np.concatenate((photo_rgb, np.repeat(mask[:, :, None], 3, axis=2)), axis=2)

        return _pairs(folder, most, (side_px, seed), target, on_photo)


def painted_photos(
    folder: Path | None, most: int | None, side_px: int, config: PaintedConfig, *, on_photo: Callable[[int], None]
) -> tuple[PairedDataset, Skipped]:
    """Read the photos as `style_photos` does, as pairs of photo and painting by the transfer network.

    They are painted in 1.5 times their size, and smoothed: a pattern of pixels would flicker live. The network paints a
    pale glow around heads before a plain wall. In a wide neighbourhood, tones are therefore moved to the mean painted
    tone of their colour on the photo, which has none; strokes are finer than that.

    Raises OptionsError if there are too few photos, or no style picture or transfer network.
    """
    if config.style_file is None:
        raise OptionsError("--method painted", "no style picture", "name one with --style-picture")
    net, paint_px = load_transfer(), int(side_px * _PAINTED_SCALE)
    style_rgb = resized(read_rgb(config.style_file), round(config.strokes * paint_px))
    signals = style_signals(net, [(style_rgb, 1.0)])

    def target(photo_rgb: ImageU8) -> ImageU8:
        painted = paint_once(net, resized(photo_rgb, paint_px), signals)
        small = cv2.resize(painted, (side_px, side_px), interpolation=cv2.INTER_AREA)
        smooth = np.asarray(cv2.bilateralFilter(cv2.medianBlur(small, _MEDIAN_PX), *_BILATERAL), np.uint8)
        glow = cv2.GaussianBlur(smooth.astype(np.float32) - mean_by_colour(smooth, photo_rgb), (0, 0), _GLOW_PX)
        mixed = np.rint((smooth - config.even * glow).clip(0, 255)).astype(np.uint8)
        lab, photo_lab = (cv2.cvtColor(one, cv2.COLOR_RGB2LAB).astype(np.float32) for one in (mixed, photo_rgb))
        missing = photo_lab - lab
        lab[:, :, 1:] += config.keep_colours * missing[:, :, 1:]
        lab[:, :, 0] += config.keep_light * cv2.GaussianBlur(missing[:, :, 0], (0, 0), _GLOW_PX)
        return np.asarray(cv2.cvtColor(np.rint(lab.clip(0, 255)).astype(np.uint8), cv2.COLOR_LAB2RGB), np.uint8)

    return _pairs(folder, most, (side_px, config.seed), target, on_photo)


def mean_by_colour(painted_rgb: ImageU8, photo_rgb: ImageU8) -> ImageU8:
    """Return for each pixel the mean painted colour of the pixels that have its colour on the photo, (H, W, 3)."""
    places = photo_rgb.reshape(-1, 3).astype(np.float32) * ((_COLOUR_BINS - 1) / 255)
    shape = (_COLOUR_BINS,) * 3
    bins = np.ravel_multi_index(tuple(np.rint(places).astype(int).T), shape)

    def total(weights: NDArray[np.uint8] | None) -> NDArray[np.float64]:
        summed = np.bincount(bins, weights, _COLOUR_BINS**3).reshape(shape).astype(np.float64)
        return np.asarray(ndimage.gaussian_filter(summed, _COLOUR_SIGMA))

    count = total(None) + 1e-6
    means = (total(painted_rgb[:, :, i].ravel()) / count for i in range(3))
    tones = [ndimage.map_coordinates(mean, places.T, order=1) for mean in means]
    return np.asarray(np.rint(np.stack(tones, -1).clip(0, 255)), np.uint8).reshape(photo_rgb.shape)


def _pairs(
    folder: Path | None,
    most: int | None,
    side_and_seed: tuple[int, int],
    target: Callable[[ImageU8], ImageU8],
    on_photo: Callable[[int], None],
) -> tuple[PairedDataset, Skipped]:
    """Return the photos, (S, S, 3) RGB, with the target of each."""
    side_px, seed = side_and_seed
    files = (
        _built_in() if folder is None else sampled(photos_in([folder]), min(most or _MOST_PHOTOS, _MOST_PHOTOS), seed)
    )
    skipped, photos, targets, names = Skipped(), list[ImageU8](), list[ImageU8](), list[str]()
    for file in files:
        try:
            photo_bgr = cropped_to(read_picture(file), (side_px, side_px))
        except SourceError as error:
            skipped["unreadable"].append(f"{file}: {error.got}")
        else:
            photos.append(np.ascontiguousarray(photo_bgr[:, :, ::-1]))
            targets.append(target(photos[-1]))
            names.append(f"{file.stem}-{len(names)}")
        on_photo(len(files))
    if len(photos) < _MIN_PHOTOS:
        do = f"give {_MIN_PHOTOS} or more, better some hundred"
        raise OptionsError(f"photos in {folder}", f"{len(photos)} readable pictures", do)
    terms = terms_of(folder) if folder else "pictures that come with scikit-image, in the public domain or CC0"
    return PairedDataset(tuple(names), np.stack(photos), np.stack(targets), terms), skipped


def eyes_and_mouths(faces: Sequence[Face], side_px: int) -> ImageU8:
    """Return the soft mask (side_px, side_px) of eyes and mouths."""
    mask = np.zeros((side_px, side_px), np.uint8)
    for face in faces:
        for outline in _KEPT:
            cv2.fillPoly(mask, [np.rint(face.landmarks_xy[list(outline)]).astype(np.int32)], (255,))
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), side_px / 128), np.uint8)


def _built_in() -> list[Path]:
    package = importlib.util.find_spec("skimage")
    folders = (package.submodule_search_locations or []) if package else []
    return [path for folder in folders for name in _BUILT_IN if (path := Path(folder, "data", name)).is_file()]
