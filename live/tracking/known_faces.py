"""Faces on pictures and films for `veneer enroll`, `verify` and `who`: found, checked for quality, embedded."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np

from engines.errors import OptionsError
from engines.identity.crops import face_crop
from engines.identity.decision import distance_to
from engines.identity.network import Embeddings, IdentityNetwork
from engines.identity.people import MOST_EMBEDDINGS
from engines.regions.eyes import IRIS_CENTRES
from live.picture_files.picture_reader import read_picture
from live.pipeline.frame import Face, Floats, Frame, ImageU8
from live.sources.base import FrameSource
from live.tracking.face_mesh import FaceMeshTracker

_MIN_EYES_PX, _MIN_SHARPNESS, _LIGHT = 24, 12.0, (30, 235)
_NOSE = 1
_MAX_TURN = 0.42  # see `turn_of`
LITTLE_TURN = 0.15  # range of the turns of a person, below which only the front is known
CAMERA_S = 10.0
_CAMERA_INTERVAL_S = 0.35
_LEAST_FROM_CAMERA = 5
_SAME_PERSON = 0.7  # least part of the good frames that show one person
_PATIENCE_S = 10.0  # for a camera that gives no frame
_NO_FRAMES = "close other programs that use it, or name another one with --source"


MOST_FACES = 4


def faces_of(photo: Path, most: int = MOST_FACES) -> tuple[ImageU8, tuple[Face, ...]]:
    """Return a picture and the faces on it. Raises SourceError, or OptionsError if there is no face."""
    bgr = read_picture(photo)
    with closing(FaceMeshTracker(max_faces=most, smooth=False, still=True)) as tracker:
        faces = tracker.track(Frame(bgr, 0, time.monotonic(), 0.0))
    if not faces:
        raise OptionsError(f"photo {photo}", "no face was found", "use a photo of a face that looks at the camera")
    return bgr, faces


def one_face(photo: Path) -> tuple[ImageU8, Floats]:
    """Return a picture and the landmarks of its only face. Raises OptionsError if there are more."""
    bgr, faces = faces_of(photo)
    if len(faces) > 1:
        raise OptionsError(f"photo {photo}", f"{len(faces)} faces were found", "use a photo of one person")
    return bgr, faces[0].landmarks_xy


def turn_of(landmarks_xy: Floats) -> float:
    """Return how far the nose is from the middle of the eyes, in distances of the eyes: 0 from the front."""
    left, right = landmarks_xy[IRIS_CENTRES]
    apart = right - left
    return float((landmarks_xy[_NOSE] - (left + right) / 2) @ apart / max(float(apart @ apart), 1e-6))


def flaw(bgr: ImageU8, landmarks_xy: Floats) -> str:
    """Return why a face is not good enough to enroll; "" if it is."""
    left, right = landmarks_xy[IRIS_CENTRES]
    apart = float(np.hypot(*(right - left)))
    if apart < _MIN_EYES_PX:
        return f"the face is too small (eyes {apart:.0f} pixels apart, {_MIN_EYES_PX} are needed)"
    if abs(turn_of(landmarks_xy)) > _MAX_TURN:
        return "the face is turned away"
    grey = cv2.cvtColor(face_crop(bgr, landmarks_xy), cv2.COLOR_RGB2GRAY)[30:]
    if not _LIGHT[0] < grey.mean() < _LIGHT[1]:
        return "the face is too dark" if grey.mean() < _LIGHT[1] else "the face is too bright"
    if cv2.Laplacian(grey, cv2.CV_64F).var() < _MIN_SHARPNESS:
        return "the face is blurred"
    return ""


def embeddings_of(photos: list[Path], network: IdentityNetwork) -> Embeddings:
    """Return the embeddings of a person on photos.

    Raises OptionsError if a photo has no face, two faces or a poor one, or shows another person than the others.
    """
    found = []
    for photo in photos:
        bgr, landmarks_xy = one_face(photo)
        if reason := flaw(bgr, landmarks_xy):
            raise OptionsError(f"photo {photo}", reason, "use a sharp photo of a face that looks at the camera")
        found.append(network.embed(bgr, landmarks_xy))
    for index, photo in enumerate(photos):
        others = np.stack(found[:index] + found[index + 1 :]) if len(found) > 1 else np.stack(found)
        if distance_to(others, found[index]) > network.card.threshold:
            raise OptionsError(f"photo {photo}", "it shows another person than the other photos", "leave it out")
    return np.stack(found)


def embeddings_from(
    source: FrameSource, network: IdentityNetwork, seconds: float = CAMERA_S
) -> tuple[Embeddings, float]:
    """Return the embeddings of a person before a camera, from frames with exactly one good face.

    If there are more than are kept, those of evenly spread turns of the head are returned, with the range of the turns.

    Raises OptionsError if there are too few, or they show several persons; the message says why.
    """
    found, turns, reasons = [], list[float](), list[str]()
    for bgr, faces in _seen(source, seconds):
        reason = flaw(bgr, faces[0].landmarks_xy) if len(faces) == 1 else f"{len(faces) or 'no'} faces"
        if not reason:
            found.append(network.embed(bgr, faces[0].landmarks_xy))
            turns.append(turn_of(faces[0].landmarks_xy))
        reasons += [reason] if reason else []
    usual = max(set(reasons), key=reasons.count) if reasons else "the source ended"
    if len(found) < _LEAST_FROM_CAMERA:
        got = f"{len(found)} good frames in {seconds:g} s ({usual})"
        raise OptionsError("enroll by camera", got, "look at the camera, alone and in good light")
    rows = np.stack(found)
    alike = 2 - 2 * rows @ rows.T < network.card.threshold  # squared distances of every two
    near = alike[alike.sum(1).argmax()]
    if near.sum() < max(_LEAST_FROM_CAMERA, _SAME_PERSON * len(rows)):
        do = "look at the camera alone, in even light"
        raise OptionsError("enroll by camera", "the frames may show different persons", do)
    by_turn = np.argsort(np.array(turns)[near])
    kept = by_turn[np.linspace(0, len(by_turn) - 1, min(len(by_turn), MOST_EMBEDDINGS)).round().astype(int)]
    return rows[near][kept], float(np.ptp(np.array(turns)[near]))


def _seen(source: FrameSource, seconds: float) -> Iterator[tuple[ImageU8, tuple[Face, ...]]]:
    """Yield frames and their faces, a few each second."""
    with closing(FaceMeshTracker(max_faces=2, smooth=False, still=True)) as tracker:
        source.open()
        try:
            first_s = last_s = None
            deadline_s = time.monotonic() + seconds + _PATIENCE_S
            while first_s is None or last_s is None or last_s - first_s < seconds:
                try:
                    frame = source.read()
                except TimeoutError as error:
                    if time.monotonic() > deadline_s:
                        raise OptionsError("enroll by camera", "the camera gives no frames", _NO_FRAMES) from error
                    continue
                if frame is None:
                    return
                first_s = frame.time_s if first_s is None else first_s
                if last_s is None or frame.time_s - last_s >= _CAMERA_INTERVAL_S:
                    last_s = frame.time_s
                    yield frame.bgr, tracker.track(frame)
        finally:
            source.close()
