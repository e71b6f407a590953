"""All persons on a frame: the segmentation of the whole frame, of square views of it, and the heads that are detected.

The selfie segmenter finds the person in the middle, and misses half a head at the frame's edge, people far behind, and
people on very wide frames. Square views show them larger, undistorted and in the middle; beyond the frame a view
repeats it mirrored, which makes half a head a whole one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np

from live.pipeline.frame import Face, Head, ImageU8
from live.tracking.early_segmentation import EarlySegmentation
from live.tracking.far_faces import MIN_SIDE_PX, new_detector
from live.tracking.person_segmenter import PersonSegmenter
from live.tracking.person_views import (
    Box,
    add_chest,
    add_head,
    body_box,
    columns_shown,
    cut,
    half_boxes,
    into_map,
    is_cut,
    is_long,
    is_missed,
    new_persons,
    views,
    with_heads,
    with_unsure_parts,
)
from live.tracking.scene_cut import SceneCut
from live.tracking.seen_heads import SeenHeads, head_of, is_one_of
from live.tracking.seen_part import SeenPart

_VIEW_PX = 360  # films and live: the frame's shorter side is reduced to this for a view
_VIEW_INTERVAL_S = 0.15  # between two views; each takes about 2 ms
_MIN_SHOWN = 64  # what has faded below this is not drawn any more
_INTERVAL_S = 0.025  # between two segmentations of the whole frame: at most 40 a second
_FADE_INTERVAL_S = 0.05  # in smaller steps rounding would stop it
_MIN_CONFIDENCE = 0.4  # of a detected head
_LONG_SIDE_PX = 512  # of the map of such frames

_Key = tuple[str, Box | int]  # "person", "head", "body", "left" or "right" and the view; "face" or "chest" and its id
_SEARCHED_AGAIN = ("person", "head")  # views that are searched again and again; what others show fades


class PersonFinder:
    """Finds the persons on consecutive frames. All calls must come from one thread.

    Args:
        still: The frames are unrelated pictures: every view of each is searched, without any memory. Otherwise every
            view is searched on the first frame and after a cut, then one after the other by `search_due`, and a person
            stays in the map until its view was searched again.
    """

    def __init__(self, *, still: bool = False) -> None:
        self._still = still
        self._cut = SceneCut()
        self._last: dict[bool, tuple[ImageU8, float]] = {}  # by whether all were searched: result and time
        self._segmenter = EarlySegmentation(still=still)
        self._views = PersonSegmenter(still=True)
        self._detector: Any = None
        self._frame_wh = (0, 0)
        self._pending: Iterator[tuple[str, Box]] = iter(())
        self._closer: list[tuple[str, Box]] = []  # views that follow from what the last ones showed
        self._doubtful: list[ImageU8] = []  # components that may be persons, since the last closer look
        self._seen: dict[_Key, SeenPart] = {}
        self._rounds = 0  # of closer looks
        self._missed: set[_Key] = set()  # heads and chests of tracked faces that the segmentation does not show
        self._searched_s = float("-inf")
        self.outlined: ImageU8 | None = None  # see `TrackedFrame.outlined`, of the last result
        self.untracked_heads = False  # whether a head was detected where no face is tracked
        self._heads_seen = SeenHeads()
        self.heads: tuple[Head, ...] = ()  # see `TrackedFrame.heads`, of the last result
        self._due: Callable[[], None] | None = None
        self._failure: Exception | None = None  # of the search

    def begin(self, frame_bgr: ImageU8, at_s: float) -> None:
        """Begin the segmentation of a frame in another thread, while its faces are found; the next call waits for it.

        The frame must not be changed until then. Not for still pictures.
        """
        recent = any(self._recent(at_s, everyone=everyone) is not None for everyone in (True, False))
        if not recent and not is_long(frame_bgr):
            self._segmenter.begin(frame_bgr)

    def mask(self, frame_bgr: ImageU8, at_s: float) -> ImageU8:
        """Return the segmentation of the whole frame alone, at most 25 ms old; see `PersonSegmenter.mask`."""
        self.outlined, self.heads = None, ()
        recent = None if self._cut.seen(frame_bgr) else self._recent(at_s, everyone=False)
        return self._kept(self._segmenter.mask(frame_bgr), at_s, everyone=False) if recent is None else recent

    def persons(self, frame_bgr: ImageU8, faces: Sequence[Face], at_s: float) -> ImageU8:
        """Return where the frame shows persons.

        Args:
            frame_bgr: (H, W, 3) uint8 BGR.
            faces: The tracked faces on this frame.
            at_s: The frame's time in seconds.

        Returns:
            (h, w) uint8, 0..255, at most 25 ms old; see `TrackedFrame.person`. It has the size of
            `PersonSegmenter.mask`, except for very wide or tall frames.

        Raises:
            TrackingError: MediaPipe is missing or cannot load its models.
            Exception: The search that was due after the last frame failed.
        """
        self.search_due()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        height, width = frame_bgr.shape[:2]
        if min(width, height) < MIN_SIDE_PX:
            self.outlined, self.heads = None, ()
            return self._segmenter.mask(frame_bgr)
        is_new = self._cut.seen(frame_bgr) or self._still or self._frame_wh != (width, height)
        if not is_new and (recent := self._recent(at_s, everyone=True)) is not None:
            return recent
        if is_new:
            self._frame_wh, self._seen, self._pending = (width, height), {}, iter(())
            self._closer, self._doubtful, self._heads_seen = [], [], SeenHeads()
        is_due = is_new or abs(at_s - self._searched_s) >= _VIEW_INTERVAL_S
        whole = self._whole(frame_bgr)
        self._fade(at_s)
        if is_due:
            self._remember_faces(faces, whole, at_s)
        if is_new:
            self.untracked_heads = False
            for kind, box in sorted(views(self._frame_wh)):  # heads first: they confirm persons
                self._search(kind, box, frame_bgr, whole, faces, at_s)
            self._look_closer(faces, whole)
            while self._closer:
                self._search(*self._closer.pop(), frame_bgr, whole, faces, at_s)
        elif is_due:
            self._searched_s = at_s
            scale = min(1.0, _VIEW_PX / min(width, height))
            size_wh = round(scale * width), round(scale * height)  # a copy: the frame will be painted
            small = frame_bgr.copy() if scale == 1.0 else cv2.resize(frame_bgr, size_wh, interpolation=cv2.INTER_AREA)
            self._due = partial(self._search_next, np.asarray(small, np.uint8), whole, faces, at_s)
        tracked = {(kind, face.face_id) for face in faces for kind in ("face", "chest")}
        persons = self._seen_by(whole, lambda key: key not in tracked)
        if is_due:
            parts = {key: seen.shown for key, seen in self._seen.items() if key in tracked}
            self._missed = {key for key, part in parts.items() if is_missed(part, persons)}
        bodies = self._seen_by(np.zeros_like(whole), lambda key: key[0] in ("head", "face", "chest"))
        persons = with_unsure_parts(self._seen_by(persons, lambda key: key in self._missed), bodies)
        heads = self._seen_by(np.zeros_like(whole), lambda key: key[0] in ("head", "face"))
        self.outlined = with_heads(whole, persons, heads)
        self.heads = self._heads_seen.untracked(faces, at_s)
        return self._kept(persons, at_s, everyone=True)

    def search_due(self) -> None:
        """Search the view that is due after the last frame; the next result shows what it found.

        `persons` does it if it was not called since, and raises its error. Called after the result was handed on, it
        delays no frame.
        """
        due, self._due = self._due, None
        if due is not None:
            try:
                due()
            except Exception as error:  # the next frame must not be drawn as if all persons were known
                self._failure = error

    def close(self) -> None:
        """Release the models; idempotent."""
        self._due = None
        self._segmenter.close()
        self._views.close()
        if self._detector is not None:
            self._detector.close()
        self._detector = None

    def _recent(self, at_s: float, *, everyone: bool) -> ImageU8 | None:
        """Return the last result of the same kind if it is recent enough for a frame."""
        persons, last_s = self._last.get(everyone, (None, 0.0))
        return persons if 0.0 <= at_s - last_s < _INTERVAL_S and not self._still else None

    def _kept(self, persons: ImageU8, at_s: float, *, everyone: bool) -> ImageU8:
        self._last = {everyone: (persons, at_s)}
        return persons

    def _seen_by(self, shown: ImageU8, which: Callable[[_Key], bool]) -> ImageU8:
        """Return a map together with those that were seen under some keys."""
        for key, seen in self._seen.items():
            if which(key):
                shown = cv2.max(shown, seen.shown)  # type: ignore[assignment]
        return shown

    def _whole(self, frame_bgr: ImageU8) -> ImageU8:
        """Return the map from the whole frame."""
        width, height = self._frame_wh
        if not is_long(frame_bgr):
            return self._segmenter.mask(frame_bgr)
        scale = _LONG_SIDE_PX / max(width, height)
        return np.zeros((max(8, round(height * scale)), max(8, round(width * scale))), np.uint8)

    def _search_next(self, frame_bgr: ImageU8, whole: ImageU8, faces: Sequence[Face], at_s: float) -> None:
        self._search(*self._next_view(faces, whole), frame_bgr, whole, faces, at_s)

    def _next_view(self, faces: Sequence[Face], whole: ImageU8) -> tuple[str, Box]:
        if not self._closer and (view := next(self._pending, None)) is not None:
            return view
        if not self._closer:
            self._pending = iter(views(self._frame_wh))
            self._look_closer(faces, whole)
        return self._closer.pop() if self._closer else next(self._pending)

    def _look_closer(self, faces: Sequence[Face], whole: ImageU8) -> None:
        """Add the views that all others together ask for: bodies of tracked faces, and what may be half a person.

        On moving pictures one component is looked at each time all views were searched, so that furniture does not
        delay the search for long.
        """
        known = self._seen_by(whole, lambda key: key[0] not in ("face", "chest"))
        parts = [(key[1], seen.shown) for key, seen in self._seen.items() if key[0] in ("face", "chest")]
        missed = {face_id for face_id, part in parts if is_missed(part, known)}
        for face in faces:
            if face.face_id in missed:
                centre, size = head_of(face.landmarks_xy)
                self._closer.append(("body", body_box(centre, size, self._frame_wh)))
        doubtful = [part for part in self._doubtful if is_missed(part, known)]
        self._doubtful = []
        if not self._still and doubtful:
            self._rounds += 1
            doubtful = [doubtful[self._rounds % len(doubtful)]]
        for part in doubtful:
            self._closer += half_boxes(part, self._frame_wh)

    def _fade(self, at_s: float) -> None:
        """Reduce the weight of persons that were not found again, and remove those below the threshold."""
        for key, seen in tuple(self._seen.items()):
            if key[0] not in _SEARCHED_AGAIN and abs(at_s - seen.at_s) >= _FADE_INTERVAL_S:
                self._seen[key] = seen.faded(at_s)
        self._seen = {key: seen for key, seen in self._seen.items() if seen.shown.max() >= _MIN_SHOWN}

    def _search(
        self, kind: str, box: Box, frame_bgr: ImageU8, whole: ImageU8, faces: Sequence[Face], at_s: float
    ) -> None:
        """Search one view, and remember what it shows."""
        scale = frame_bgr.shape[1] / self._frame_wh[0]
        columns = columns_shown(kind, box, self._frame_wh[0])
        view_bgr = cut(frame_bgr, box, scale, columns)
        if kind in ("left", "right"):
            middle = (box[0] + box[2]) * whole.shape[1] // (2 * self._frame_wh[0])
            if not self._heads(view_bgr, box, whole, faces, at_s)[:, max(0, middle - 1) : middle + 1].any():
                return  # mirrored furniture often looks like a person, but hardly like a head
        if kind != "head":
            seen = into_map(self._views.mask(view_bgr), box, self._frame_wh, whole, columns)
            heads = self._seen_by(np.zeros_like(whole), lambda key: key[0] in ("head", "face"))
            shown, doubtful = new_persons(seen, whole, heads, lambda part: is_cut(part, box, self._frame_wh))
            self._doubtful += doubtful if kind == "person" else []
        else:
            shown = self._heads(view_bgr, box, whole, faces, at_s)
        before = self._seen.get((kind, box))
        if kind == "head":  # once in a film may be a mistake
            again = shown if self._still else cv2.min(shown, before.shown) if before is not None else None
            self.untracked_heads |= again is not None and bool(again.any())
        if before is not None:
            shown = cv2.max(shown, before.faded(at_s).shown)  # type: ignore[assignment]
        if shown.any():
            self._seen[kind, box] = SeenPart(shown, at_s)

    def _heads(self, view_bgr: ImageU8, box: Box, whole: ImageU8, faces: Sequence[Face], at_s: float) -> ImageU8:
        """Return the map of the heads in a view that are not those of tracked faces."""
        self._detector = self._detector or new_detector(view_bgr[:, :, ::-1].copy(), _MIN_CONFIDENCE)
        shown, tracked = np.zeros_like(whole), [head_of(face.landmarks_xy) for face in faces]
        width, height = box[2] - box[0], box[3] - box[1]
        found = self._detector.process(cv2.cvtColor(view_bgr, cv2.COLOR_BGR2RGB)).detections or ()
        for detection in found:
            relative = detection.location_data.relative_bounding_box
            size = max(relative.width * width, relative.height * height)
            x = box[0] + (relative.xmin + relative.width / 2) * width
            y = box[1] + (relative.ymin + relative.height / 2) * height
            if not is_one_of(((x, y), size), tracked):
                self._heads_seen.add(((x, y), size), at_s)
                add_head(shown, (x, y), size, self._frame_wh)
                add_chest(shown, (x, y), size, self._frame_wh)
                self._closer.append(("body", body_box((x, y), size, self._frame_wh)))
        return shown

    def _remember_faces(self, faces: Sequence[Face], whole: ImageU8, at_s: float) -> None:
        """Remember where the tracked faces' heads and chests are: of a lost face they stay in the map for a moment."""
        for face in faces:
            centre, size = head_of(face.landmarks_xy)
            if math.isfinite(centre[0] + centre[1] + size) and size > 0:
                for kind, add in (("face", add_head), ("chest", add_chest)):
                    shown = np.zeros_like(whole)
                    add(shown, centre, size, self._frame_wh)
                    self._seen[kind, face.face_id] = SeenPart(shown, at_s)
