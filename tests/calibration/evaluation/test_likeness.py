"""`veneer evaluate --likeness`: drawn persons are looked up among photos by a face recognition network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from calibration.evaluate_command import evaluate
from calibration.evaluation.likeness import likeness
from engines.errors import LookError, OptionsError

APP = typer.Typer()
APP.command()(evaluate)

MODEL = "weights/mobileface_mit/mobileface_v2_112_256d.xml"
PERSONS = ("001", "005", "011", "061", "090")


def _run(*arguments: object) -> str:
    """Return stdout; errors of the command are raised."""
    result = CliRunner().invoke(APP, list(map(str, arguments)))
    if result.exception is not None:
        raise result.exception
    return result.stdout


@pytest.fixture
def sets(data_dir: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Smiling photos of some persons, and neutral photos of the same."""
    for folder, number in (("smiling_front", "08"), ("neutral_front", "03")):
        (tmp_path / folder).mkdir()
        for person in PERSONS:
            shutil.copy(data_dir / "faces" / "london_ccby" / folder / f"{person}_{number}.jpg", tmp_path / folder)
    return tmp_path / "smiling_front", tmp_path / "neutral_front"


def test_rank_and_cosines_are_those_of_the_nearest_photo() -> None:
    basis = list(np.eye(3, dtype=np.float32))
    found = likeness([basis[0] * 2, basis[1] + 0.5 * basis[2]], ["a", "c"], basis, ["a", "b", "c"])
    assert found.rank1 == 0.5
    assert found.own == pytest.approx((1 + 0.5 / 1.25**0.5) / 2)
    assert found.others == pytest.approx((0 + 0 + 0 + 1 / 1.25**0.5) / 4)


@pytest.mark.data
def test_a_drawn_person_is_found_again(sets: tuple[Path, Path], data_dir: Path) -> None:
    faces, gallery = sets
    words = ("toon", "--likeness", data_dir / MODEL, "--faces", faces, "--gallery", gallery)
    report = json.loads(_run(*words, "--json"))
    assert report["photo"]["rank1"] == 1.0 and report["photos"] == report["gallery"] == len(PERSONS)
    assert report["drawn"]["rank1"] >= 0.6, "drawn, and that person"
    assert report["drawn"]["own"] > report["drawn"]["others"] + 0.1
    assert "found first" in _run(*words)


@pytest.mark.data
def test_what_cannot_be_looked_up_is_one_line(sets: tuple[Path, Path], data_dir: Path, tmp_path: Path) -> None:
    faces, gallery = sets
    next(gallery.glob("005*")).unlink()
    place = ("--faces", faces, "--gallery", gallery)
    for words, error, message in (
        (("toon", "--likeness", data_dir / MODEL, *place), OptionsError, "no photo of 005"),
        (("toon", "--likeness", data_dir / MODEL, "--faces", faces), OptionsError, "without --faces and --gallery"),
        (("toon", "--likeness", tmp_path / "none.xml", *place), OptionsError, "name the .xml file"),
        (("tooon", "--likeness", data_dir / MODEL, *place), LookError, "did you mean 'toon'"),
    ):
        with pytest.raises(error, match=message) as caught:
            _run(*words)
        assert "\n" not in str(caught.value)
