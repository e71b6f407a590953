"""The detector that the benchmark of bare persons uses on films, which have no true mask."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from benchmarks.person_scenes.reference_persons import ReferencePersons
from benchmarks.person_scenes.scenes import KINDS, Cutout, compose, cut_out
from live.portrait import portrait_bgr
from live.sources.video_source import VideoSource


@pytest.fixture(scope="module")
def reference() -> Iterator[ReferencePersons]:
    persons = ReferencePersons()
    yield persons
    persons.close()


@pytest.fixture(scope="module")
def astronaut() -> Cutout:
    cutout = cut_out(portrait_bgr())
    assert cutout is not None
    cutout.alpha[330:, 275:] = 0  # the helmet
    return cutout


@pytest.mark.parametrize("kind", ["alone", "behind"])
def test_reference_finds_persons_and_no_furniture(reference: ReferencePersons, astronaut: Cutout, kind: str) -> None:
    scene = compose(KINDS.index(kind), [astronaut])
    found, persons = reference.mask(scene.bgr) > 0.5, scene.persons > 0.5
    assert (found & persons).sum() > 0.8 * persons.sum()
    assert (found & ~persons).sum() < 0.1 * persons.sum()


def test_reference_finds_no_person_on_an_empty_wall(reference: ReferencePersons) -> None:
    wall = np.random.default_rng(0).integers(150, 170, (360, 640, 3), np.uint8)
    assert not reference.mask(wall).any()


@pytest.mark.data
def test_reference_shows_one_woman_before_furniture(data_dir: Path, reference: ReferencePersons) -> None:
    """A single view invents a second head in the furniture, on a seventh of the picture."""
    source = VideoSource(data_dir / "clips/liveportrait_mit_FLAGGED/s18.mp4")
    source.open()
    frame = next(islice(iter(source.read, None), 79, None))
    source.close()
    shown = reference.views_showing(frame.bgr)
    assert (shown >= 1).mean() > 0.4
    assert 0.25 < reference.mask(frame.bgr).mean() < 0.32
