"""The transfer network: `veneer models add transfer`, `veneer paint --fast`, and looks from painted photos."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support.cli_parts import call
from support.style_pictures import write_stripes
from torch import Tensor

from calibration.training.train_style import mean_by_colour
from engines.painting.transfer_file import PARTS, kept_file
from engines.painting.transfer_network import TransferNetwork
from engines.style_lookup import load_style
from live.portrait import portrait_bgr

SMALL = ("--steps", 3, "--batch", 2, "--crop", 64, "--arg", "channels=4", "--arg", "deep=4", "--arg", "blocks=1")
QUICK = ("--precision", "32-true", "--workers", 0, "--threads", 1)
Weights = dict[str, dict[str, NDArray[np.float32]]]


@pytest.fixture
def weights() -> Weights:
    """Random weights under the published names; the last layer gives the portrait a usual contrast."""
    torch.manual_seed(0)
    net, raw = TransferNetwork().eval(), list[Tensor]()
    net.decoder.dec3.register_forward_hook(lambda _net, _inputs, output: raw.append(output))
    photo = torch.from_numpy(portrait_bgr()[::4, ::4, ::-1].copy()).permute(2, 0, 1)[None].float() / 255
    last = net.decoder.dec3[-1].conv_layer
    with torch.no_grad():
        net(photo, net.signals(photo))
        scale = 0.2 / raw[0].std((0, 2, 3))
        last.weight.mul_(scale[:, None, None, None])
        last.bias.copy_((last.bias - raw[0].mean((0, 2, 3))) * scale + 0.5)
    state = net.state_dict()
    return {
        part: {name.removeprefix(f"{part}."): one.numpy() for name, one in state.items() if name.startswith(f"{part}.")}
        for part in PARTS
    }


@pytest.fixture
def folder(weights: Weights, tmp_path: Path) -> Path:
    """A folder with the four files, a photo, and two style pictures."""
    (tmp_path / "net").mkdir()
    for part, arrays in weights.items():
        if part == "decoder":
            tensors = {name: torch.from_numpy(one) for name, one in arrays.items()}
            torch.save(tensors, tmp_path / "net" / "decoder_iter_160000.pth.tar")
        else:
            np.savez(tmp_path / "net" / f"{part}.npz", **arrays)  # type: ignore[arg-type]
    cv2.imwrite(str(tmp_path / "photo.png"), portrait_bgr()[::4, ::4])
    write_stripes(tmp_path / "style.png")
    write_stripes(tmp_path / "other.png", inverted=True)
    return tmp_path


def painted(folder: Path, *words: object) -> NDArray[np.uint8]:
    done = call("paint", "--fast", "photo.png", "style.png", "out.png", "--size", 64, *words, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("painted at 64x64 in ")
    out = cv2.imread(str(folder / "out.png"))
    assert out is not None and out.shape == (64, 64, 3)
    return np.asarray(out, np.uint8)


def test_a_photo_is_painted_in_one_pass(folder: Path) -> None:
    done = call("models", "add", "transfer", folder / "net")
    assert done.returncode == 0 and "it paints the built-in portrait" in done.stdout
    one = painted(folder)
    both = painted(folder, "--also", "other.png=0.5")
    assert np.abs(one.astype(int) - both).mean() > 1
    bare = cv2.resize(portrait_bgr()[::4, ::4], (64, 64), interpolation=cv2.INTER_AREA)
    labs = [cv2.cvtColor(one, cv2.COLOR_BGR2LAB).astype(int) for one in (painted(folder, "--colours", "photo"), bare)]
    assert np.abs(labs[0][..., 1:] - labs[1][..., 1:]).mean() < 9


def test_published_weights_paint_in_the_colours_of_the_style(data_dir: Path, tmp_path: Path) -> None:
    done = call("models", "add", "transfer", data_dir / "weights" / "microast_mit")
    assert done.returncode == 0, done.stderr
    red = np.zeros((128, 128, 3), np.uint8)
    red[:] = (40, 30, 190)
    red[::16] = (20, 10, 60)
    cv2.imwrite(str(tmp_path / "red.png"), red)
    cv2.imwrite(str(tmp_path / "photo.png"), portrait_bgr()[::4, ::4])
    assert call("paint", "--fast", "photo.png", "red.png", "out.png", "--size", 256, cwd=tmp_path).returncode == 0
    out, photo = (cv2.imread(str(tmp_path / name)) for name in ("out.png", "photo.png"))
    assert out is not None and photo is not None
    blue, _, strong = out.reshape(-1, 3).mean(0)
    assert strong - blue > 60 > photo.reshape(-1, 3).mean(0)[2] - photo.reshape(-1, 3).mean(0)[0]
    greys = [
        cv2.resize(cv2.cvtColor(one, cv2.COLOR_BGR2GRAY), (64, 64), interpolation=cv2.INTER_AREA).ravel()
        for one in (out, photo)
    ]
    assert np.corrcoef(*greys)[0, 1] > 0.5, "the person stays recognisable"


def test_without_vgg_photos_are_painted_for_a_look(folder: Path) -> None:
    assert call("models", "add", "transfer", folder / "net").returncode == 0
    photos = folder / "photos"
    photos.mkdir()
    for i in range(4):
        cv2.imwrite(str(photos / f"{i}.png"), np.roll(portrait_bgr()[::4, ::4], 9 * i, axis=1))
    (photos / "broken.png").write_text("no picture")
    words = ("train", "mine", "--style-picture", folder / "style.png", "--photos", photos, "--work", folder / "work")
    done = call(*words, *SMALL, *QUICK)
    assert done.returncode == 0, done.stderr
    assert "1 unreadable" in done.stderr and "held-out PSNR" in done.stdout
    style = load_style("mine")
    assert (style.region, style.size_wh, style.covers) == ("frame", (448, 256), True)
    assert (style.card["method"], style.card["style_picture"]["file"]) == ("painted", "style.png")
    assert style.card["teacher"].startswith("transfer network, SHA-256 ")


def test_the_mean_tone_of_a_colour_has_no_glow() -> None:
    photo = np.full((64, 64, 3), 200, np.uint8)
    photo[16:48, 16:48] = (90, 60, 40)
    painted = np.where(photo == 200, 180, photo // 2).astype(np.uint8)
    painted[12:16] = 220  # a pale rim above the head
    even = mean_by_colour(painted, photo).astype(int)
    assert np.ptp(even[photo[:, :, 0] == 200], axis=0).max() <= 1, "the wall has one tone"
    assert abs(even[2, 2, 0] - painted[photo[:, :, 0] == 200].mean()) < 2
    assert np.abs(even[32, 32] - painted[32, 32]).max() < 3


@pytest.mark.parametrize("name, said", [("gone", "check the path"), ("decoder", "no file decoder"), ("", "do not fit")])
def test_another_network_is_refused_in_one_line(folder: Path, weights: Weights, name: str, said: str) -> None:
    if name == "decoder":
        (folder / "net" / "decoder_iter_160000.pth.tar").unlink()
    elif not name:
        np.savez(folder / "net" / "modulator.npz", **weights["style_encoder"])  # type: ignore[arg-type]
    done = call("models", "add", "transfer", folder / ("gone" if name == "gone" else "net"))
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and said in done.stderr
    assert not kept_file().exists()


def test_weights_that_do_not_paint_are_refused(folder: Path, weights: Weights) -> None:
    silent = {name: np.zeros_like(one) for name, one in weights["decoder"].items()}
    np.savez(folder / "net" / "decoder.npz", **silent)  # type: ignore[arg-type]
    done = call("models", "add", "transfer", folder / "net")
    assert done.returncode == 2 and "it does not paint the built-in portrait" in done.stderr


def test_without_the_network_the_command_says_how_to_add_it(folder: Path) -> None:
    done = call("paint", "--fast", "photo.png", "style.png", "out.png", cwd=folder)
    assert done.returncode == 2 and "add them: veneer models add transfer FOLDER" in done.stderr


def test_only_the_person_is_painted_at_any_size(folder: Path) -> None:
    assert call("models", "add", "transfer", folder / "net").returncode == 0
    cv2.imwrite(str(folder / "photo.png"), portrait_bgr()[:384])
    done = call("paint", "--fast", "photo.png", "style.png", "out.png", "--size", 200, "--only", "person", cwd=folder)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("other", [False, True])
def test_a_look_is_resumed_with_its_own_picture_only(folder: Path, other: bool) -> None:
    assert call("models", "add", "transfer", folder / "net").returncode == 0
    photos, work = folder / "photos", folder / "work"
    photos.mkdir()
    for i in range(4):
        cv2.imwrite(str(photos / f"{i}.png"), np.roll(portrait_bgr()[::4, ::4], 9 * i, axis=1))
    words = ("train", "mine", "--photos", photos, "--work", work, *SMALL, *QUICK)
    assert call(*words, "--style-picture", folder / "style.png").returncode == 0
    style = folder / ("other.png" if other else "style.png")
    done = call(*words, "--style-picture", style, "--resume", "--steps", 6)
    assert done.returncode == (2 if other else 0), done.stderr
    assert ("the training began with another picture" in done.stderr) == other
