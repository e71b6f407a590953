"""The file of enrolled people, distances and thresholds."""

from __future__ import annotations

import json
import stat

import numpy as np
import pytest

from engines.errors import OptionsError
from engines.identity.decision import calibrated_threshold, distance_to, nearest, scores
from engines.identity.people import People, people_file


def faces(seed: int, count: int, spread: float = 0.1) -> np.ndarray:
    """Embeddings of one made-up person."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal(32) + spread * rng.standard_normal((count, 32))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def test_people_are_kept_for_their_network_and_user() -> None:
    people = People()
    people.enroll("v1", "me", faces(0, 3))
    people.enroll("v2", "guest", faces(1, 2))
    people.thresholds["v1"] = 0.7
    people.save()
    assert stat.S_IMODE(people_file().stat().st_mode) == 0o600
    again = People.load()
    assert list(again.of("v1")) == ["me"] and list(again.of("v2")) == ["guest"] and not again.of("v3")
    assert np.abs(again.of("v1")["me"] - faces(0, 3)).max() < 1e-4 and again.thresholds == {"v1": 0.7}
    again.remove("guest")
    again.save()
    assert not People.load().of("v2")
    with pytest.raises(OptionsError, match="did you mean 'me'"):
        again.remove("mee")


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"networks": 3}', '{"networks": {"v": {"people": {"me": [[1, NaN]]}}}}',
     '{"networks": {"v": {"people": {"me": []}}}}', '{"networks": {"v": {"people": {"a\\nb": [[1]]}}}}'],
)  # fmt: skip
def test_a_damaged_file_of_people_is_one_line(content: str) -> None:
    people_file().parent.mkdir(parents=True)
    people_file().write_text(content)
    with pytest.raises(OptionsError, match="delete the file and enroll again") as caught:
        People.load()
    assert "\n" not in str(caught.value)


def test_only_embeddings_are_in_the_file() -> None:
    people = People()
    people.enroll("v1", "me", faces(0, 1))
    people.save()
    assert json.loads(people_file().read_text()) == {
        "networks": {"v1": {"threshold": None, "people": {"me": np.round(faces(0, 1).astype(float), 5).tolist()}}}
    }


def test_the_nearest_person_comes_first() -> None:
    people = {name: faces(seed, 4) for seed, name in enumerate(("a", "b", "c"))}
    (first, distance), (_, second), _ = nearest(people, faces(1, 5)[4])
    assert first == "b" and distance < 0.1 < second
    assert distance_to(people["a"][:1], people["a"][0]) == pytest.approx(0, abs=1e-5)


def test_scores_of_distances() -> None:
    apart = scores(np.array([0.1, 0.2, 0.3]), np.array([0.8, 0.9]), 0.25)
    assert apart.equal_error == 0 and 0.3 < apart.equal_threshold < 0.8
    assert apart.false_refusals == pytest.approx(1 / 3) and apart.false_matches == 0
    assert apart.balanced == pytest.approx(5 / 6)
    mixed = scores(np.array([0.1, 0.2, 0.3, 0.9]), np.array([0.25, 0.8, 0.95, 1.0]), 0.5)
    assert mixed.equal_error == 0.25


def test_a_threshold_lies_between_own_and_other_faces() -> None:
    people = {"a": faces(0, 4), "b": faces(1, 4)}
    limit = calibrated_threshold(people, 0.05)
    assert limit is not None
    assert max(distance_to(rows[:3], rows[3]) for rows in people.values()) < limit
    assert limit < distance_to(people["a"], people["b"][0])
    assert calibrated_threshold({"a": faces(0, 4)}, 0.5) is None
    assert calibrated_threshold({"a": faces(0, 4), "b": faces(0, 4)}, 0.5) is None


def test_a_calibrated_threshold_is_that_of_the_same_people() -> None:
    people = People()
    assert not people.enroll("v1", "me", faces(0, 3)) and not people.enroll("v2", "me", faces(0, 3))
    people.thresholds |= {"v1": 0.7, "v2": 0.8}
    assert people.enroll("v1", "guest", faces(1, 3)) and people.thresholds == {"v2": 0.8}
    assert people.remove("me") and not people.thresholds
    assert not people.remove("guest")
