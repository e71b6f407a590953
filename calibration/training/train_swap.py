"""Read the faces of two persons from pictures and films, aligned as the live program aligns them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from calibration.sets.region_collector import media_in
from calibration.training.train_style import eyes_and_mouths
from engines.errors import OptionsError, SourceError
from engines.regions.aligned_face import aligned_face, guide_lines_at, openings, oval_mask
from engines.regions.face_colours import face_colours, to_usual
from engines.training.data.face_shape import in_shape, neutral_shape, shape_shift
from engines.training.data.paired_dataset import terms_of
from engines.training.data.person_faces import MARGIN, SwapFaces
from engines.training.data.picture_pairs import ImageU8, Skipped
from live.picture_files.picture_reader import PICTURE_SUFFIXES, read_picture
from live.pipeline.frame import Face, Floats, Frame
from live.recording.media_files import VIDEO_SUFFIXES
from live.sources.video_source import film_frames
from live.tracking.face_mesh import FaceMeshTracker

_MIN_FACES, _MOST_FACES = 8, 1500


@dataclass(frozen=True, slots=True, eq=False)
class _AlignedPicture:
    """A face as it is learned.

    Attributes:
        whole: (K, K, 5) uint8: RGB, weight and lines; see `SwapFaces`.
        landmarks_xy: (478, 2) pixels of the crop.
        openings: How far eyes and mouth are open.
    """

    whole: ImageU8
    landmarks_xy: Floats
    openings: tuple[float, float]


def swap_faces(
    one: Path,
    other: Path,
    persons: tuple[str, str],
    side_px: int,
    most: int | None = None,
    shape: float = 0.0,
    *,
    on_file: Callable[[int], None] = lambda _total: None,
) -> tuple[SwapFaces, Skipped]:
    """Read the faces of both persons.

    Args:
        one: Folder or file of the person who is replaced.
        other: Of the one who takes the place.
        persons: Their names.
        side_px: Side of the network's pictures.
        most: Largest number of faces of each.
        shape: How much of the first person's shape of face, 0..1, the other person's faces get.

    Raises:
        OptionsError: Both are the same, there are too few faces, or a picture shows two.
        TrackingError: There is no face model.
    """
    if os.path.realpath(one) == os.path.realpath(other):
        raise OptionsError(f"--from {one} --to {other}", "both are the same place", "name a folder for each person")
    files = [_media(place, option) for place, option in ((one, "--from"), (other, "--to"))]
    if both := set(map(os.path.realpath, files[0])) & set(map(os.path.realpath, files[1])):
        do = "give each person a folder that holds no pictures of the other"
        raise OptionsError(f"--from {one} --to {other}", f"{min(both)} is in both", do)
    skipped, total = Skipped(), len(files[0]) + len(files[1])
    found: list[list[_AlignedPicture]] = []
    for place, option, own in ((one, "--from", files[0]), (other, "--to", files[1])):
        faces, seen, step = list[_AlignedPicture](), 0, 1
        for file in own:
            before = seen
            try:
                for face in _faces_of(file, side_px):
                    if seen % step == 0:
                        faces.append(face)
                    seen += 1
                    if len(faces) >= 2 * (most or _MOST_FACES):  # evenly over all films, in bounded memory
                        faces, step = faces[::2], 2 * step
            except SourceError as error:
                skipped["unreadable"].append(f"{file}: {error.got}")
            else:
                if seen == before:
                    skipped["without a face"].append(str(file))
            on_file(total)
        if len(faces) < _MIN_FACES:
            got = f"{len(faces) or 'no'} faces were found, at least {_MIN_FACES} are needed"
            raise OptionsError(f"{option} {place}", got, "add pictures or a film, better some hundred faces")
        found.append(_thinned(faces, most or _MOST_FACES))
    if shape:
        found[1] = _in_shape_of(found[0], found[1], shape, side_px)
    ones, others = (np.stack([face.whole for face in faces]) for faces in found)
    opened = _openings(found[0]), _openings(found[1])
    return SwapFaces(ones, others, side_px, terms_of(one, other), persons, opened), skipped


def _media(place: Path, option: str) -> list[Path]:
    if not place.exists():
        raise OptionsError(f"{option} {place}", "there is no such folder or file", "check the path")
    return media_in([place], (*PICTURE_SUFFIXES, *VIDEO_SUFFIXES), option, "pictures or films")


def _faces_of(file: Path, side_px: int) -> Iterator[_AlignedPicture]:
    """Yield the aligned faces of a picture or a film.

    Raises OptionsError if it shows two faces at once.
    """
    is_film = file.suffix.lower() in VIDEO_SUFFIXES
    with closing(FaceMeshTracker(max_faces=2, smooth=is_film, still=not is_film)) as tracker:
        for frame in _frames(file, is_film):
            found = tracker.track(frame)
            if len(found) > 1:
                where = f"at {frame.time_s:.1f} s of {file}" if is_film else f"on {file}"
                raise OptionsError(f"face {where}", "there are two", "use pictures that show one person only")
            yield from (cut for face in found if (cut := _cut(frame, face, side_px)) is not None)


def _frames(file: Path, is_film: bool) -> Iterator[Frame]:
    if not is_film:
        yield Frame(read_picture(file), 0, 0.0, 0.0)
        return
    with closing(film_frames(file)) as frames:
        yield from frames


def _cut(frame: Frame, face: Face, side_px: int) -> _AlignedPicture | None:
    margin_px = round(MARGIN * side_px)
    region = aligned_face(face.landmarks_xy, (side_px, side_px), frame.size_wh)
    wide = aligned_face(face.landmarks_xy, (side_px, side_px), frame.size_wh, margin_px=margin_px)
    if region is None or wide is None:
        return None
    colours = face_colours(region.crop(frame.bgr))
    rgb = to_usual(wide.crop(frame.bgr), colours)[:, :, ::-1]
    xy = wide.landmarks(face.landmarks_xy)
    inside = oval_mask(wide, face.landmarks_xy, eroded=0.0)
    features = eyes_and_mouths([Face(0, xy)], rgb.shape[0])
    weight = inside.astype(np.float32) * (128 / 255) + features.astype(np.float32) * (127 / 255)
    whole = np.dstack([rgb, np.rint(weight).astype(np.uint8), guide_lines_at(xy, wide.size_wh, side_px)])
    return _AlignedPicture(whole, xy, openings(region, face.landmarks_xy))


def _thinned(faces: list[_AlignedPicture], most: int) -> list[_AlignedPicture]:
    """Return at most that many faces, evenly spaced."""
    return [faces[index] for index in np.linspace(0, len(faces) - 1, min(most, len(faces))).round().astype(int)]


def _in_shape_of(
    ones: list[_AlignedPicture], others: list[_AlignedPicture], share: float, side_px: int
) -> list[_AlignedPicture]:
    """Return the second person's faces with a share of the first person's shape."""
    one_xy, other_xy = (
        neutral_shape(np.stack([face.landmarks_xy for face in faces]), _openings(faces)) for faces in (ones, others)
    )
    kept_px = others[0].whole.shape[0]
    shift = shape_shift(other_xy, one_xy, share, kept_px)
    maps = shift.maps()
    moved = []
    for face in others:
        xy = shift.moved(face.landmarks_xy)
        lines = guide_lines_at(xy, (kept_px, kept_px), side_px)
        whole = np.dstack([in_shape(np.ascontiguousarray(face.whole[:, :, :4]), maps), lines])
        moved.append(replace(face, whole=whole, landmarks_xy=xy))
    return moved


def _openings(faces: list[_AlignedPicture]) -> Floats:
    return np.array([face.openings for face in faces], np.float32)
