"""Whose face a track is: decided over about a second, and never by a track that could be another person's."""

from __future__ import annotations

import numpy as np
import pytest

from live.pipeline.frame import Face
from live.tracking.face_identity import FaceIdentity
from live.tracking.person_tracks import STRANGER, PersonTracks, Seen

FPS = 30.0
_SHAPE = np.random.default_rng(0).uniform(-50, 50, (478, 2)).astype(np.float32)  # a face of 100 pixels


def face(face_id: int, x: float, y: float = 200.0, size: float = 1.0) -> Face:
    return Face(face_id, _SHAPE * np.float32(size) + np.array((x, y), np.float32))


def run(tracks: PersonTracks, seconds: float, who: str, x: float = 300.0, start_s: float = 0.0) -> tuple[Seen, int]:
    """Show one person; return what was seen last, and how often the face was embedded."""
    calls, seen = 0, Seen()

    def judge(_face: Face) -> str:
        nonlocal calls
        calls += 1
        return who

    for index in range(round(seconds * FPS)):
        seen = tracks.update([face(0, x)], start_s + index / FPS, judge)
    return seen, calls


def test_a_person_is_known_after_about_a_second() -> None:
    tracks = PersonTracks()
    assert run(tracks, 0.5, "me")[0].names == {}
    assert run(tracks, 0.7, "me", start_s=0.5)[0].names == {0: "me"}


def test_a_face_is_embedded_now_and_then() -> None:
    _, calls = run(PersonTracks(), 60, "me")
    assert calls <= 34, "two seconds apart, after four at the beginning"
    _, calls = run(PersonTracks(), 60, STRANGER)
    assert calls <= 64


@pytest.mark.parametrize("change", ["gap", "jump", "growth", "cut", "other answer", "meeting"])
def test_a_decision_is_taken_back(change: str) -> None:
    tracks = PersonTracks()
    run(tracks, 2, "me")
    at_s, faces, who = 2.0, [face(0, 300)], "me"
    if change == "gap":
        tracks.update([], 2.0, lambda _: "me")
        at_s = 2.3
        tracks.update([], 2.27, lambda _: "me")
    elif change == "jump":
        faces = [face(0, 360)]
    elif change == "growth":
        faces = [face(0, 300, size=1.5)]
    elif change == "meeting":
        faces += [face(1, 380)]
    elif change == "other answer":
        at_s, who = 3.0, STRANGER
        for index in range(60, 90):
            tracks.update(faces, index / FPS, lambda _: "me")
        run(tracks, 3, STRANGER, start_s=3.0)
        assert run(PersonTracks(), 3, STRANGER)[0].names == {0: STRANGER}
        return
    assert 0 not in tracks.update(faces, at_s, lambda _: who, cut=change == "cut").names


def test_a_lost_face_is_remembered_for_a_second() -> None:
    tracks = PersonTracks()
    run(tracks, 2, "me")
    assert [one.face_id for one in tracks.update([], 2.0, lambda _: None).lost] == [0]
    assert not tracks.update([], 3.1, lambda _: None).lost


def test_a_picture_is_decided_at_once() -> None:
    seen = PersonTracks(still=True).update([face(0, 100), face(1, 300)], 0.0, lambda one: ["me", None][one.face_id])
    assert seen.names == {0: "me"}


def test_no_frame_names_the_wrong_person_in_1000_films() -> None:
    """Persons walk, cross, leave and come back elsewhere; faces are lost; answers are doubtful or wrong at times."""
    named = 0
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        persons = ["me", "guest", STRANGER][: int(rng.integers(2, 4))]
        at, speed = rng.uniform(100, 1180, len(persons)), rng.uniform(-350, 350, len(persons))
        away_until = np.zeros(len(persons))
        identity, tracks, depth = FaceIdentity(smooth=False), PersonTracks(), rng.uniform(190, 210, len(persons))
        fps = float(rng.choice([10, 15, 30]))
        for index in range(round(3 * fps)):
            at_s = index / fps
            at = at + speed / fps
            speed[(at < 60) & (speed < 0) | (at > 1220) & (speed > 0)] *= -1
            for i in np.flatnonzero(rng.random(len(persons)) < 0.3 / fps):
                away_until[i] = at_s + rng.uniform(0.05, 1.2)
            for i in np.flatnonzero(away_until > 0):
                others = [at[j] for j in range(len(persons)) if j != i]
                place = rng.uniform(100, 1180)
                if at_s >= away_until[i] and all(abs(place - other) > 220 for other in others):
                    away_until[i], at[i] = 0, place
            there = [i for i in range(len(persons)) if away_until[i] == 0]
            hidden = {i for i in there for j in there if i != j and abs(at[i] - at[j]) < 60 and depth[i] < depth[j]}
            fronts = there if hidden else []  # the face before a hidden one is large and frontal: it is not lost
            there = [i for i in there if i not in hidden and (i in fronts or rng.random() > 0.02)]
            landmarks = {i: _SHAPE + np.array((at[i], depth[i]), np.float32) for i in there}
            faces = identity.assign(list(landmarks.values()), at_s)
            owner = {
                one.face_id: persons[min(there, key=lambda i: float(np.abs(landmarks[i] - one.landmarks_xy).max()))]
                for one in faces
            }

            chance, wrong = rng.random(), str(rng.choice(persons))

            def judge(
                one: Face, chance: float = chance, wrong: str = wrong, owner: dict[int, str] = owner
            ) -> str | None:
                return None if chance < 0.2 else wrong if chance < 0.22 else owner[one.face_id]

            seen = tracks.update(faces, at_s, judge)
            named += len(seen.names)
            assert all(owner[i] == name for i, name in seen.names.items()), f"film {seed}, frame {index}"
    assert named > 5_000
