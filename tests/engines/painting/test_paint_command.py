"""`veneer paint` with a VGG of random weights: options, costs, masks, an interruption, and wrong input."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from support.cli_parts import call
from support.style_pictures import write_stripes
from support.vgg_parts import keep_vgg

from engines.painting import paint_options, vgg_network
from engines.painting.gatys import Costs, paint
from engines.painting.paint_options import PaintOptions
from engines.painting.vgg_file import load_vgg
from engines.painting.vgg_network import VggNetwork
from live.pipeline.frame import ImageU8
from live.portrait import portrait_bgr

FAST = ("--size", "64", "--iterations", "6")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with a photo and two style pictures; a VGG is added."""
    keep_vgg()
    cv2.imwrite(str(tmp_path / "photo.png"), portrait_bgr()[::4, ::4])
    write_stripes(tmp_path / "style.png")
    write_stripes(tmp_path / "other.png", inverted=True)
    return tmp_path


def test_a_painting_gets_closer_to_the_style(pictures: Path) -> None:
    preview = pictures / "so-far.png"
    words = ("--preview", preview, "--preview-every", 2, "--also", f"{pictures / 'other.png'}=0.5", "--smooth", 0.01)
    done = call("paint", pictures / "photo.png", pictures / "style.png", pictures / "out.png", *FAST, *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("6 iterations, cost ") and "% less), at 64x64; " in done.stdout
    assert "GB of memory at most -> " in done.stdout
    assert preview.is_file()
    out = cv2.imread(str(pictures / "out.png"))
    assert out is not None and out.shape == (64, 64, 3)


@pytest.mark.parametrize("optimiser", ["lbfgs", "adam"])
def test_costs_fall_with_both_optimisers(pictures: Path, optimiser: str) -> None:
    network = VggNetwork(load_vgg(), "conv5_1")
    style = cv2.imread(str(pictures / "style.png"))
    assert style is not None
    options = PaintOptions(size=64, iterations=14, optimiser=optimiser)
    costs = paint(portrait_bgr()[::4, ::4, ::-1].copy(), [(style, 1.0)], network, options).costs[0]  # type: ignore[list-item]
    assert len(costs) == 14 and min(one.total for one in costs) < 0.9 * costs[0].total


@pytest.mark.parametrize("height, pooling", [(80, "average"), (81, "max"), (73, "average")])
def test_strips_of_large_pictures_do_not_show(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, height: int, pooling: str
) -> None:
    network, layers = VggNetwork(load_vgg(), "conv5_1", pooling), ("conv1_1", "conv2_1", "conv5_1")
    photo = portrait_bgr().transpose(2, 0, 1)[None] / np.float32(255)
    both = np.concatenate([photo[..., :height, 100:148], photo[..., 100 : 100 + height, 200:248]])
    found, slopes = [], []
    for large in (10**9, 100):
        monkeypatch.setattr(vgg_network, "_LARGE", large)
        monkeypatch.setattr(vgg_network, "_STRIP", 2 * 48 * 12)  # 7 strips of the first block, 2 of the second
        rgb = torch.from_numpy(both).requires_grad_()
        answers = network(rgb, ("conv1_2", "conv4_2"), layers)
        torch.autograd.backward(torch.stack([one.square().mean() for one in answers.values()]).sum())
        found.append(answers)
        slopes.append(rgb.grad)
    assert found[0].keys() == found[1].keys() and len(found[0]) == 5
    for one, other in [*((found[0][name], found[1][name]) for name in found[0]), slopes]:
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5 * float(one.detach().abs().max()))


def test_an_interruption_keeps_the_best_so_far(pictures: Path) -> None:
    network, photo = VggNetwork(load_vgg(), "conv5_1"), portrait_bgr()[::4, ::4, ::-1].copy()
    seen: list[Costs] = []

    def on_step(done: int, total: int, costs: Costs, picture: Callable[[], ImageU8]) -> None:
        seen.append(costs)
        if done == 3:
            raise KeyboardInterrupt

    painting = paint(photo, [(photo[::-1].copy(), 1.0)], network, PaintOptions(size=64, iterations=99), on_step)
    assert len(seen) == len(painting.costs[0]) == 3 and painting.best_rgb.shape == (64, 64, 3)


def test_ctrl_c_writes_the_painting(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from live.render import picture_painting

    def interrupted(
        path: Path, bgr: ImageU8, write: Callable[[Path, ImageU8], None] = picture_painting.write_picture
    ) -> None:
        if path.name == "preview.png":
            os.kill(os.getpid(), signal.SIGINT)
        write(path, bgr)

    monkeypatch.setattr(picture_painting, "write_picture", interrupted)
    words = ("--preview", pictures / "preview.png", "--preview-every", 2)
    done = call("paint", pictures / "photo.png", pictures / "style.png", pictures / "out.png", *FAST, *words)
    assert done.returncode == 130 and (pictures / "out.png").is_file()
    assert done.stdout.startswith("2 iterations")


def test_only_the_room_leaves_the_person_bare(pictures: Path) -> None:
    done = call("paint", pictures / "photo.png", pictures / "style.png", pictures / "out.png", *FAST, "--only", "room")
    assert done.returncode == 0, done.stderr
    out = cv2.imread(str(pictures / "out.png"))
    bare = cv2.resize(portrait_bgr()[::4, ::4], (64, 64), interpolation=cv2.INTER_AREA)
    assert out is not None
    off = np.abs(out.astype(int) - bare).max(2)
    assert np.median(off[16:24, 25:32]) < 12 < np.median(off[:8, :8])  # the face; a corner of the room


def test_the_photos_colours_are_kept(pictures: Path) -> None:
    words = ("--colours", "photo")
    done = call("paint", pictures / "photo.png", pictures / "style.png", pictures / "out.png", *FAST, *words)
    assert done.returncode == 0, done.stderr
    out = cv2.imread(str(pictures / "out.png"))
    assert out is not None
    bare = cv2.resize(portrait_bgr()[::4, ::4], (64, 64), interpolation=cv2.INTER_AREA)
    labs = [cv2.cvtColor(one, cv2.COLOR_BGR2LAB).astype(int) for one in (out, bare)]
    assert np.abs(labs[0][..., 1:] - labs[1][..., 1:]).mean() < 9


def test_large_paintings_begin_coarse() -> None:
    assert PaintOptions(size=1920, iterations=100).levels == [(480, 100), (960, 25), (1920, 25)]
    assert PaintOptions(size=512).levels == [(512, 300)]


@pytest.mark.parametrize("optimiser", ["lbfgs", "adam"])
def test_each_size_of_a_large_painting_is_painted(
    pictures: Path, optimiser: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paint_options, "_COARSEST_PX", 96)
    style = cv2.imread(str(pictures / "style.png"))
    assert style is not None
    options = PaintOptions(size=128, iterations=8, optimiser=optimiser)
    painting = paint(
        np.ascontiguousarray(portrait_bgr()[::2, ::2, ::-1]),
        [(np.asarray(style, np.uint8), 1.0)],
        VggNetwork(load_vgg(), "conv5_1"),
        options,
    )
    assert [len(costs) for costs in painting.costs] == [8, 2]
    assert painting.best_rgb.shape == (128, 128, 3)


@pytest.mark.parametrize(
    "words, said",
    [
        (("--layers", "1,2"), "not five weights"),
        (("--optimiser", "sgd"), "there is no such"),
        (("--content", 0, "--style", 0), "nothing is left to paint"),
        (("--also", "style.png=much"), "write FILE=WEIGHT"),
        (("--size", 8), "out of range"),
        (("--preview", "preview.txt"), "unknown kind"),
        (("--preview", "photo.png"), "it is the same file as photo.png"),
        (("--preview", "out.png"), "it is the same file as OUT"),
        (("--fast", "--iterations", 9), "a painting in one pass has no such option"),
    ],
)
def test_wrong_options_give_one_line(words: tuple[object, ...], said: str, tmp_path: Path) -> None:
    for name in ("photo.png", "style.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((20, 20, 3), np.uint8))
    done = call("paint", "photo.png", "style.png", "out.png", *words, cwd=tmp_path)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and said in done.stderr


def test_without_vgg_the_command_says_how_to_add_it(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((20, 20, 3), np.uint8))
    done = call("paint", "a.png", "a.png", "out.png", cwd=tmp_path)
    assert done.returncode == 2 and "add one: veneer models add vgg FILE" in done.stderr


def test_a_photo_is_not_painted_over(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "photo.png"), np.full((20, 20, 3), 7, np.uint8))
    cv2.imwrite(str(tmp_path / "style.png"), np.zeros((20, 20, 3), np.uint8))
    for out in ("photo.png", "style.png"):
        done = call("paint", "photo.png", "style.png", out, cwd=tmp_path)
        assert done.returncode == 2 and f"it is the same file as {out}" in done.stderr
    assert (cv2.imread(str(tmp_path / "photo.png")) == 7).all()
