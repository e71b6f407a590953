"""Whose face each tracked face is: decisions over about a second, which are taken back when tracks could be confused.

A track keeps its decision only while no other person can have taken its place. It is unsure again after a gap, a
jump, a cut, an overlap with another face, and after a check that does not confirm the decision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from live.pipeline.frame import Face

STRANGER = ""
_INTERVAL_S, _CHECK_S = 0.25, 2.0  # between two embeddings of a face: undecided, decided for a person
_VOTES, _LEAST_S = 4, 0.6  # equal votes in a row, and the time from the first to the last of them
_GAP_S = 0.12, 0.35  # without the face, after which another one may be in its place: at usual and at low frame rates
_MAX_MOVE, _MAX_GROWTH = 0.4, 1.3  # from frame to frame, in face sizes
_LOST_S = 1.0  # a lost face may still be in the picture
_SPEED, _FURTHEST = 8.0, 1.6  # of a lost face, face sizes per second, and how far it is expected to get
_TIRED_VOTES, _TIRED_S = 12, 1.0  # a stranger, and a face that stays undecided, are embedded less often

_Box = tuple[float, float, float]  # centre and half side of the square where a face is
Judge = Callable[[Face], str | None]
"""Returns the name of the person on a frame, STRANGER, or None if the distance is between."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Who is on a frame.

    Attributes:
        names: Of the faces whose person is decided: a name, or STRANGER.
        lost: Faces that were lost a moment ago and may still be in the picture.
    """

    names: Mapping[int, str] = field(default_factory=dict)
    lost: tuple[Face, ...] = ()


@dataclass(slots=True)
class _Track:
    face: Face
    box: _Box
    seen_s: float
    votes: list[tuple[float, str]] = field(default_factory=list)
    judged: int = 0
    judge_s: float = 0.0  # when to embed the face next
    name: str | None = None
    velocity: tuple[float, float] = (0.0, 0.0)  # pixels per second

    def follow(self, face: Face, box: _Box, at_s: float) -> bool:
        """Take the face of the next frame; return whether it could be another person's."""
        (x, y, half), elapsed_s = self.box, at_s - self.seen_s
        there = x + self.velocity[0] * elapsed_s, y + self.velocity[1] * elapsed_s, half
        moved = _moved(self.box, box) or _moved(there, box)
        self.velocity = ((box[0] - x) / elapsed_s, (box[1] - y) / elapsed_s) if elapsed_s > 0 else (0.0, 0.0)
        self.face, self.box, self.seen_s = face, box, at_s
        return moved

    def forget(self, at_s: float) -> None:
        """Discard the decision and its votes."""
        self.votes, self.name, self.judged, self.judge_s = [], None, 0, at_s

    def vote(self, name: str | None, at_s: float) -> None:
        """Count what the network says of the face."""
        self.judged += 1
        if name is not None and self.votes and self.votes[-1][1] != name:
            self.forget(at_s)
        if name is not None:
            self.votes = [*self.votes, (at_s, name)][-_VOTES:]
            if len(self.votes) == _VOTES and at_s - self.votes[0][0] >= _LEAST_S:
                self.name = name
        decided, tired = self.name is not None, self.judged >= _TIRED_VOTES
        self.judge_s = at_s + (_CHECK_S if self.name else _TIRED_S if decided or tired else _INTERVAL_S)


class PersonTracks:
    """The persons of one stream.

    Args:
        still: One picture: each face is decided at once.
    """

    def __init__(self, *, still: bool = False) -> None:
        self._still = still
        self._tracks: dict[int, _Track] = {}
        self._at_s = 0.0

    def update(self, faces: Sequence[Face], at_s: float, judge: Judge, *, cut: bool = False) -> Seen:
        """Return who is on the frame.

        Args:
            faces: With their ids.
            at_s: Time of the frame in seconds.
            judge: Called for one face at most, except on a still picture.
            cut: The frame shows another scene than the one before it.
        """
        if self._still:
            judged = {face.face_id: judge(face) for face in faces}
            return Seen({face_id: name for face_id, name in judged.items() if name is not None})
        if cut or at_s < self._at_s:
            self._tracks = {}
        gap_s = min(max(_GAP_S[0], 1.5 * (at_s - self._at_s)), _GAP_S[1])
        self._at_s = at_s
        boxes = {face.face_id: _box(face) for face in faces}
        lost = {i: track for i, track in self._tracks.items() if i not in boxes and at_s - track.seen_s <= _LOST_S}
        near_boxes = {**boxes, **{i: _grown(track.box, at_s - track.seen_s) for i, track in lost.items()}}
        for face in faces:
            box = boxes[face.face_id]
            track = self._tracks.setdefault(face.face_id, _Track(face, box, at_s, judge_s=at_s))
            near = any(_meet(box, other) for i, other in near_boxes.items() if i != face.face_id)
            gap = at_s - track.seen_s > gap_s
            if track.follow(face, box, at_s) or near or gap:
                track.forget(at_s)
        self._tracks = {i: track for i, track in self._tracks.items() if i in boxes or i in lost}
        self._judge_one([self._tracks[i] for i in boxes], at_s, judge)
        names = {i: name for i in boxes if (name := self._tracks[i].name) is not None}
        return Seen(names, tuple(track.face for track in lost.values()))

    def _judge_one(self, tracks: list[_Track], at_s: float, judge: Judge) -> None:
        """Embed the face that has waited longest for it, if one is due."""
        due = [track for track in tracks if track.judge_s <= at_s]
        if due:
            track = min(due, key=lambda one: one.judge_s)
            track.vote(judge(track.face), at_s)


def _box(face: Face) -> _Box:
    columns = np.ascontiguousarray(face.landmarks_xy.T)  # numpy is slow over the short axis
    low, high = columns.min(1), columns.max(1)
    x, y = ((low + high) / 2).tolist()
    return x, y, float((high - low).max()) / 2


def _grown(box: _Box, lost_s: float) -> _Box:
    """Return where a face may be after it was lost for some time."""
    x, y, half = box
    return x, y, half + 2 * half * min(_SPEED * lost_s, _FURTHEST)


def _meet(one: _Box, other: _Box) -> bool:
    """Whether two faces touch, so that the tracker could exchange their ids."""
    reach = one[2] + other[2]
    return max(abs(one[0] - other[0]), abs(one[1] - other[1])) < reach


def _moved(one: _Box, other: _Box) -> bool:
    """Whether a face is too far from where it was, or of too different a size, to be the same."""
    size = 2 * max(one[2], 1e-6)
    move = max(abs(one[0] - other[0]), abs(one[1] - other[1])) / size
    growth = other[2] / max(one[2], 1e-6)
    return move > _MAX_MOVE or not 1 / _MAX_GROWTH < growth < _MAX_GROWTH
