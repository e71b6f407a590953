"""A film with an enrolled person and a stranger, real faces: the look is on one, and the other is blurred."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.apply_parts import veneer

from live.pipeline.frame import Face
from live.render.person_areas import part_of_persons

pytestmark = pytest.mark.data
ME, GUEST = "007", "099"  # persons of the London set: 03 is neutral, 08 smiles
LOOKS = """
[looks.mine]
layers = [{ style = "toon", region = "person" }]
only = ["me"]
others = "blur"

[looks.hosts]
layers = [{ style = "toon", region = "person" }]
except = ["me"]
"""


def _photo(data_dir: Path, name: str) -> NDArray[np.uint8]:
    found = next((data_dir / "faces" / "london_ccby").rglob(f"{name}.jpg"), None)
    if found is None:
        pytest.skip(f"no photo {name}.jpg in {data_dir}/faces/london_ccby")
    photo = cv2.imread(str(found))
    side = min(photo.shape[:2])
    left, top = (photo.shape[1] - side) // 2, (photo.shape[0] - side) // 2
    return np.asarray(cv2.resize(photo[top : top + side, left : left + side], (320, 320)), np.uint8)


@pytest.fixture(scope="module")
def film(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("film")
    cv2.imwrite(str(folder / "me.jpg"), _photo(data_dir, f"{ME}_03"))
    frame = np.hstack([_photo(data_dir, f"{person}_08") for person in (ME, GUEST)])
    writer = cv2.VideoWriter(str(folder / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 30, (640, 320))
    for _ in range(60):
        writer.write(frame)
    writer.release()
    (folder / "looks.toml").write_text(LOOKS)
    return folder / "film.avi"


def _sharpness(film: Path) -> NDArray[np.float64]:
    """Return the variance of the Laplacian of both faces on each frame, (N, 2)."""
    video, rows = cv2.VideoCapture(str(film)), []
    while (read := video.read())[0]:
        faces = (read[1][90:230, left : left + 120] for left in (100, 420))
        rows.append([cv2.Laplacian(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY), cv2.CV_64F).var() for face in faces])
    return np.array(rows)


@pytest.mark.parametrize(("look", "shown"), [("mine", (True, False)), ("hosts", (True, True))])
def test_a_look_for_one_person_blurs_others(film: Path, look: str, shown: tuple[bool, bool]) -> None:
    folder = film.parent
    assert veneer("enroll", "me", folder / "me.jpg").returncode == 0
    done = veneer("apply", film, folder / f"{look}.mp4", "--look", look, "--looks-file", folder / "looks.toml")
    assert done.returncode == 0, done.stderr
    bare, painted = _sharpness(film), _sharpness(folder / f"{look}.mp4")
    assert len(painted) == len(bare) == 60
    assert (painted[0] < 0.2 * bare[0]).all(), "both are blurred until they are recognised"
    assert ((painted[-1] > 0.3 * bare[-1]) == shown).all()
    if not shown[1]:
        assert (painted[:, 1] < 0.2 * bare[:, 1]).all(), "the stranger is never shown"


@pytest.mark.parametrize("look", ["glaze", "none", "toon"])
def test_only_me_else_blur_never_shows_the_stranger(film: Path, look: str) -> None:
    folder = film.parent
    assert veneer("enroll", "me", folder / "me.jpg").returncode == 0
    words = ("--only", "me", "--else", "blur", "--look", look, "--sink", f"file:{folder / 'run.mp4'}")
    done = veneer("run", "--source", film, *words)
    assert done.returncode == 0, done.stderr
    bare, painted = _sharpness(film), _sharpness(folder / "run.mp4")
    assert len(painted) == len(bare) == 60
    assert (painted[:, 1] < 0.2 * bare[:, 1]).all(), "the stranger is never shown"
    assert painted[-1, 0] > 0.3 * bare[-1, 0], "the enrolled person is seen"


def test_a_look_for_an_unknown_person_does_not_end_a_run(film: Path) -> None:
    words = ("--looks-file", film.parent / "looks.toml", "--look", "glaze", "--sink", "null")
    done = veneer("run", "--source", film, *words)
    assert done.returncode == 0, done.stderr


def test_heads_without_a_tracked_face_are_other_persons() -> None:
    person = np.full((90, 160), 255, np.uint8)
    face = Face(0, np.zeros((478, 2), np.float32))
    outline = np.stack((np.cos(np.linspace(0, 6.28, 478)), np.sin(np.linspace(0, 6.28, 478))), 1)
    face.landmarks_xy[:] = (400, 300) + 100 * outline
    alone = part_of_persons(person, (1280, 720), (face,), (0,))
    beside = part_of_persons(person, (1280, 720), (face,), (0,), [((800.0, 300.0), 200.0)])
    assert alone[60, 95] == 255 and beside[60, 95] == 0 and beside[60, 50] == 255
