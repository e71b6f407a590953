"""The face swap: consent, refusals, a short training, the swapped frame, and what files and preview say."""

from __future__ import annotations

import contextlib
import itertools
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from support.cli_parts import call
from support.head_parts import portrait_face
from support.swap_parts import NAMES, SMALL, consent, persons, swap_look, train

from calibration.training import train_swap
from engines.errors import LookError
from engines.looks import Look
from engines.looks_file import parse_look
from engines.regions.aligned_face import aligned_face, guide_lines, openings, oval_mask
from engines.runtime.openers import open_openvino
from engines.runtime.selector import reference_engine
from engines.style_lookup import load_style, own_folder
from engines.training.data.person_faces import inner, random_faces
from engines.training.methods.face_swap import FaceSwap, FaceSwapConfig
from engines.training.progress import Watch
from engines.training.trainer import fit
from live.control.controls import Command
from live.diagnostics.run_status import meter_text
from live.options import ApplyOptions, LiveOptions
from live.panel.panel_state import PanelState
from live.picture_files.picture_reader import PictureFile
from live.pipeline.frame import Floats, Frame, ImageU8
from live.recording.film_apply import apply_to_film
from live.render import face_swapping, paint_job
from live.render.look_loader import LoadedLayer, LookLoader
from live.render.painter import Painter
from live.render.picture_renderer import PictureRenderer
from live.session import Session
from live.sinks.video_file import VideoFileSink
from live.tracking.face_mesh import FaceMeshTracker

NOTE = f"the face of {NAMES[1]} in the place of {NAMES[0]}; both agreed"


@pytest.fixture(scope="module")
def folders(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return persons(data_dir, tmp_path_factory.mktemp("persons"))


@pytest.fixture(scope="module")
def trained(folders: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VENEER_HOME", str(tmp_path_factory.mktemp("home")))
        return train(*folders, tmp_path_factory.mktemp("swap"))


@pytest.fixture
def look(trained: Path) -> Look:
    return swap_look(trained)


def film_of(pictures: Path, path: Path, notes: tuple[str, ...] = ()) -> Path:
    sink = VideoFileSink(path)
    sink.open(size_wh=(256, 256), fps=10)
    for number, file in enumerate(sorted(pictures.glob("*.png"))):
        picture = cv2.imread(str(file))
        assert picture is not None
        note = notes[number] if number < len(notes) else ""
        sink.send(Frame(np.asarray(picture, np.uint8), number, 0.0, number / 10, note=note))
    sink.close()
    return path


def comment(path: Path) -> str:
    import av

    with av.open(str(path)) as film:
        assert sum(1 for _ in film.decode(video=0)) == 9
        return {key.lower(): text for key, text in film.metadata.items()}.get("comment", "")


def test_the_card_states_whose_consent_was_given(look: Look) -> None:
    style = load_style("swap")
    assert style.swaps and not style.covers and style.card["consent"]["of"] == list(NAMES)
    assert style.card["method"] == "face_swap" and NOTE in look.swap_note
    assert (look.no_face, look.then) == ("hold", "blur"), "the own face is not shown when it is lost"


def test_a_card_without_consent_is_refused(look: Look) -> None:
    path = own_folder() / "swap.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"consent": {"of": ["Ann Made"]}}))
    with pytest.raises(LookError, match="no consent of two persons"):
        load_style("swap")


@pytest.mark.parametrize("named", [(), NAMES[:1], (NAMES[0], NAMES[0])])
def test_both_persons_must_agree(named: tuple[str, ...], folders: tuple[Path, Path]) -> None:
    words = ("--from", folders[0], "--to", folders[1], *consent(*named))
    done = call("train", "swap", "--method", "face-swap", *words)
    assert done.returncode == 2 and "both must agree" in done.stderr and done.stderr.count("\n") == 1


def refused(one: Path, other: Path, work: Path) -> str:
    words = ("--method", "face-swap", "--from", one, "--to", other, *consent(*NAMES), *SMALL, "--work", work)
    done = call("train", "swap", *words)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


def test_unusable_pictures_are_refused_in_one_line(folders: tuple[Path, Path], tmp_path: Path) -> None:
    one, other = folders
    for name in ("few", "walls", "two", "both"):
        (tmp_path / name).mkdir()
    picture = np.asarray(cv2.imread(str(one / "4.png")), np.uint8)
    cv2.imwrite(str(tmp_path / "few" / "a.png"), picture)
    cv2.imwrite(str(tmp_path / "walls" / "a.png"), np.full((200, 200, 3), 120, np.uint8))
    cv2.imwrite(str(tmp_path / "two" / "a.png"), np.hstack([picture, picture[:, ::-1]]))
    (tmp_path / "both" / "a.png").symlink_to(other / "4.png")
    work = tmp_path / "work"
    assert "both are the same place" in refused(one, one, work)
    assert "4.png is in both" in refused(tmp_path / "both", other, work)
    assert "1 faces were found, at least 8 are needed" in refused(tmp_path / "few", other, work)
    assert "no faces were found" in refused(tmp_path / "walls", other, work)
    assert "a.png: there are two" in refused(tmp_path / "two", other, work)
    assert "there is no such folder" in refused(tmp_path / "nowhere", other, work)


def test_options_of_other_methods_are_refused(folders: tuple[Path, Path]) -> None:
    words = ("--from", folders[0], "--to", folders[1], *consent(*NAMES))
    done = call("train", "swap", "--method", "face-swap", *words, "--photos", folders[0])
    assert done.returncode == 2 and "it does not take --photos" in done.stderr
    done = call("train", "swap", "--photos", folders[0], "--drawings", folders[1], *consent(*NAMES))
    assert done.returncode == 2 and "they are for face swaps" in done.stderr


def test_a_resumed_training_gives_the_same(tmp_path: Path) -> None:
    arguments = {"side": 32, "channels": 4, "latent": 8, "blocks": 0}
    config = FaceSwapConfig(generator_args=arguments, steps=4, batch=2, check_every=2, precision="32-true", workers=0)

    def stop(step: int) -> None:
        if step == 3:
            raise KeyboardInterrupt

    whole = fit(FaceSwap(config, random_faces(32)), tmp_path / "whole").net.state_dict()
    with pytest.raises(KeyboardInterrupt):
        fit(FaceSwap(config, random_faces(32)), tmp_path / "stopped", watch=Watch(on_step=stop))
    resumed = fit(FaceSwap(config, random_faces(32)), tmp_path / "stopped", resume=True).net.state_dict()
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.items())


def test_the_expression_of_swaps_is_trained(tmp_path: Path) -> None:
    """In the last steps, in which the learning rate falls."""
    arguments = {"side": 32, "channels": 4, "latent": 8, "blocks": 0}
    made = []
    for weight in (0.0, 1.0, 1.0):
        config = FaceSwapConfig(
            generator_args=arguments, steps=8, batch=2, precision="32-true", workers=0, expression=weight
        )
        done = fit(FaceSwap(config, random_faces(32)), tmp_path / str(len(made)))
        made.append({name: tensor for name, tensor in done.net.state_dict().items() if "decoder" in name})
    differ = [any(not torch.equal(one[name], other[name]) for name in one) for one, other in itertools.pairwise(made)]
    assert made[0] and differ == [True, False]


def test_eyes_and_mouth_come_to_the_same_places(folders: tuple[Path, Path]) -> None:
    corners = []
    with contextlib.closing(FaceMeshTracker(still=True)) as tracker:
        for file in (folders[0] / "0.png", folders[1] / "8.png"):
            picture = np.asarray(cv2.imread(str(file)), np.uint8)
            (face,) = tracker.track(Frame(picture, 0, 0.0))
            region = aligned_face(face.landmarks_xy, (96, 96), (256, 256))
            assert region is not None
            corners.append(region.landmarks(face.landmarks_xy)[[33, 133, 362, 263, 61, 291]])
            ramp = np.repeat(np.arange(96, dtype=np.uint8)[:, None], 96, 1)
            there_and_back = region.crop(np.pad(region.uncrop(ramp), _outside(region.inner), "edge"))
            assert np.abs(there_and_back[8:-8, 8:-8].astype(int) - ramp[8:-8, 8:-8]).max() <= 2
            mask = oval_mask(region, face.landmarks_xy)
            assert mask[48, 48] == 255 and not mask[[0, -1]].any() and not mask[:, [0, -1]].any()
    eyes, mouths = (np.stack([one[part].mean(0) for one in corners]) for part in (slice(0, 4), slice(4, 6)))
    assert np.abs(eyes[0] - eyes[1]).max() < 0.5 and abs(mouths[0] - mouths[1])[1] < 0.5, "pixels of 96"


def test_live_and_training_draw_the_same_lines(
    look: Look, folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    received = []

    def infer(layer: LoadedLayer, crops_bgr: list[ImageU8]) -> Floats:
        received.extend(crops_bgr)
        return paint_job.infer(layer, crops_bgr)

    monkeypatch.setattr(face_swapping, "infer", infer)
    picture = np.asarray(cv2.imread(str(folders[0] / "4.png")), np.uint8)
    with contextlib.closing(FaceMeshTracker(still=True)) as tracker:
        (face,) = tracker.track(Frame(picture, 0, 0.0))
    with contextlib.closing(LookLoader({"swap": look}, runtime="openvino", say=print)) as loader:
        Painter().paint(picture.copy(), (face,), loader.load("swap"), 1.0, at_s=0.0)
    side = received[0].shape[0]
    cut = train_swap._cut(Frame(picture, 0, 0.0), face, side)
    assert cut is not None
    lines = inner(cut.whole[None], side)[0, :, :, 4]
    bare = np.int32(received[0][:, :, 1]) - np.int32(received[0][:, :, 2])  # green above red
    assert lines.any() and np.corrcoef(lines.ravel(), bare.ravel())[0, 1] > 0.9


@pytest.mark.parametrize("side", [96, 128, 192])
def test_the_margin_of_training_does_not_change_the_lines(side: int) -> None:
    picture, face = portrait_face()
    frame = Frame(picture, 0, 0.0)
    cut, region = train_swap._cut(frame, face, side), aligned_face(face.landmarks_xy, (side, side), frame.size_wh)
    assert cut is not None and region is not None
    assert (inner(cut.whole[None], side)[0, :, :, 4] == guide_lines(region, face.landmarks_xy, side)).all()


def test_openings_are_those_of_eyes_and_mouth() -> None:
    _, face = portrait_face()
    closed_xy = face.landmarks_xy.copy()
    closed_xy[[246, 161, 160, 159, 158, 157, 173]] = closed_xy[[7, 163, 144, 145, 153, 154, 155]]
    closed_xy[[466, 388, 387, 386, 385, 384, 398]] = closed_xy[[249, 390, 373, 374, 380, 381, 382]]
    raised_xy = face.landmarks_xy.copy()
    raised_xy[[70, 63, 105, 66, 107, 336, 296, 334, 293, 300]] -= (0, 6)  # brows
    region = aligned_face(face.landmarks_xy, (96, 96), (456, 456))
    assert region is not None
    usual, closed, raised = (openings(region, xy) for xy in (face.landmarks_xy, closed_xy, raised_xy))
    assert closed[0] < 0.05 * usual[0] and closed[1] == usual[1] > 0
    assert raised == usual


def _outside(inner: tuple[int, int, int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    left, top, right, bottom = inner
    return (top, 256 - bottom), (left, 256 - right)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "gif"])
def test_a_swapped_picture_says_so(suffix: str, look: Look, folders: tuple[Path, Path], tmp_path: Path) -> None:
    source, made = folders[0] / "4.png", tmp_path / f"made.{suffix}"
    with contextlib.closing(PictureRenderer(ApplyOptions(look="swap"), look)) as renderer:
        renderer(PictureFile(source), made)
    with Image.open(made) as picture:
        said = picture.info["comment"].decode() if suffix == "gif" else picture.getexif()[270]
        assert NOTE in (said if suffix == "gif" else said.encode("latin-1").decode())
    if suffix == "png":
        before, after = (np.asarray(cv2.imread(str(path)), np.int16) for path in (source, made))
        changed = np.abs(before - after).max(2) > 0
        assert changed[110:150, 110:150].mean() > 0.9, "the face"
        assert not changed[:16].any() and not changed[:, :16].any() and not changed[:, -16:].any(), "the room"


def test_openvino_gives_the_same_as_pytorch(look: Look) -> None:
    style = load_style("swap")
    crops = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    engines = (open_openvino(style, precision="fp32"), reference_engine(style))
    for regions in (crops, crops[:1]):
        outputs = [engine.infer(regions).copy() for engine in engines]
        assert np.abs(outputs[0] - outputs[1]).max() < 0.5, "levels"
    for engine in engines:
        engine.close()


def test_a_swapped_film_says_so(look: Look, folders: tuple[Path, Path], tmp_path: Path) -> None:
    source, made = film_of(folders[0], tmp_path / "bare.mp4"), tmp_path / "made.mp4"
    assert comment(source) == ""
    apply_to_film(source, made, ApplyOptions(look="swap"), look, lambda *_: None)
    assert NOTE in comment(made)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
def test_a_recording_that_becomes_a_swap_says_so(suffix: str, folders: tuple[Path, Path], tmp_path: Path) -> None:
    path = film_of(folders[0], tmp_path / f"late.{suffix}", notes=("", "", "Face swap: x"))
    assert comment(path) == "Face swap: x" and [file.name for file in tmp_path.iterdir()] == [path.name]


def test_preview_and_page_say_face_swap(look: Look) -> None:
    looks = {"swap": look, "lips": parse_look("lips", {"layers": [{"style": "lips-glaze"}]})}
    session = Session(LiveOptions(source="demo", look="swap", sinks=("null",)), looks=looks, ctl=False)
    page = PanelState(session, None)  # type: ignore[arg-type]
    assert meter_text(session.pipeline, {}).banner == "face swap"
    assert page.state()["viewers"]["words"].startswith("face swap: ")
    session.controls.apply(Command("look", "lips"))
    assert meter_text(session.pipeline, {}).banner == ""
    assert not page.state()["viewers"]["words"].startswith("face swap")
