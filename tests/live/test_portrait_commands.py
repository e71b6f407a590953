"""Networks from noise are trained, imported and sampled by commands; the still card takes a portrait."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from support.vgg_parts import keep_vgg
from torch import nn

from engines.errors import OptionsError
from engines.generators.registry import fresh_generator
from engines.painting.vgg_file import kept_file
from engines.paths import portraits_dir
from engines.portraits import portrait_sampler as sampler
from engines.portraits.portrait_network import PortraitNetwork, load_portraits
from engines.training.style_card import save_style
from live.commands.card_command import card
from live.commands.sample_command import sample
from live.render import privacy_fallback

pytestmark = pytest.mark.usefixtures("one_thread")
ATTRIBUTES = {"hair": ["dark", "light"], "glasses": ["no", "yes"]}


def written(name: str, generator: str, **arguments: Any) -> PortraitNetwork:
    """A small network with random weights in the user's folder."""
    torch.manual_seed(0)
    arguments = {"latent": 8, "side_px": 32, "channels": 8, **arguments}
    net = fresh_generator(generator, arguments)
    for key, weight in net.named_parameters():
        if key.endswith("noise.weight"):
            nn.init.constant_(weight, 0.5)
        if key.startswith("to_rgb") and key.endswith("conv.weight"):
            nn.init.normal_(weight, std=0.15)  # few values are beyond black and white
        if generator == "dcgan" and weight.dim() > 1:
            nn.init.normal_(weight, std=0.3)
    attributes = ATTRIBUTES if arguments.get("classes") else {}
    size_wh = [arguments["side_px"]] * 2
    described = {"name": name, "generator": generator, "generator_args": arguments, "size_wh": size_wh}
    portraits_dir().mkdir(parents=True, exist_ok=True)
    save_style(net, {**described, "attributes": attributes}, portraits_dir())
    return load_portraits(name)


def options(**given: Any) -> dict[str, Any]:
    """The options of `veneer sample` with their defaults."""
    usual: dict[str, Any] = {
        "count": 4, "seed": 0, "truncation": 1.0, "wanted": "", "grid": None, "out": None, "interpolate": None,
        "film": None, "mix": None, "latents": None, "noise": "constant", "project": None, "steps": 4, "identities": 0,
    }  # fmt: skip
    return {**usual, **given}


def test_a_seed_gives_the_same_picture_at_any_count(tmp_path: Path) -> None:
    written("faces", "stylegan2")
    sample("faces", **options(count=3, seed=5, out=tmp_path / "a", grid=tmp_path / "a.png"))
    sample("faces", **options(count=1, seed=7, out=tmp_path / "b"))
    assert [path.name for path in sorted((tmp_path / "a").iterdir())] == [f"{i:06}.png" for i in (5, 6, 7)]
    assert (tmp_path / "a" / "000007.png").read_bytes() == (tmp_path / "b" / "000007.png").read_bytes()
    assert cv2.imread(str(tmp_path / "a.png")).shape == (64, 64, 3)


def test_truncation_ends_at_one_mean_picture() -> None:
    network = written("faces", "stylegan2")
    noise = sampler.drawn_latents(network, range(3))
    spread = [sampler.pictures(network, noise, None, share).std(0).mean() for share in (0.0, 0.5, 1.0)]
    assert spread[0] < 1 < spread[1] < spread[2]
    none, constant = (sampler.pictures(network, noise, None, 1.0, kind) for kind in ("none", "constant"))
    assert not np.array_equal(none, constant)


def test_random_noise_of_a_picture_is_that_of_its_seed(tmp_path: Path) -> None:
    written("faces", "stylegan2")
    sample("faces", **options(count=3, seed=5, noise="random", out=tmp_path / "a"))
    sample("faces", **options(count=1, seed=7, noise="random", out=tmp_path / "b"))
    sample("faces", **options(count=1, seed=7, out=tmp_path / "c"))
    seventh = (tmp_path / "a" / "000007.png").read_bytes()
    assert seventh == (tmp_path / "b" / "000007.png").read_bytes() != (tmp_path / "c" / "000007.png").read_bytes()


def test_the_mean_picture_is_that_of_its_label() -> None:
    network = written("people", "stylegan2", classes=4)
    network.net.get_buffer("average_w").fill_(1.0)  # of all labels
    noise = sampler.drawn_latents(network, range(2))
    hair = [network.labels(f"hair={one},glasses=no", (0, 1)) for one in ("dark", "light")]
    dark, light = (sampler.styles_of(network, noise, label, 0.0) for label in hair)
    assert torch.equal(dark[0], dark[1]) and torch.equal(light[0], light[1]) and not torch.allclose(dark, light)


def test_labels_that_are_left_out_are_drawn() -> None:
    network = written("people", "dcgan", classes=4)
    drawn = network.labels("glasses=yes", range(20))
    assert drawn is not None and (drawn[:, 3] == 1).all() and (drawn.sum(1) == 2).all()
    assert 0 < drawn[:, 0].sum() < 20
    again = network.labels("glasses=yes", (7,))
    assert again is not None and torch.equal(again[0], drawn[7])


@pytest.mark.parametrize("generator", ["dcgan", "stylegan2"])
def test_identities_are_folders_of_one_person_each(generator: str, tmp_path: Path) -> None:
    written("faces", generator, side_px=64)
    sample("faces", **options(identities=2, seed=3, count=4, out=tmp_path / "persons"))
    folders = sorted((tmp_path / "persons").iterdir())
    assert [folder.name for folder in folders] == ["000003", "000004"]
    people = [[cv2.imread(str(path)).astype(float) for path in sorted(one.glob("*.png"))] for one in folders]
    assert people[0][0].shape == (256, 256, 3) and "No real person" in (folders[0] / "TERMS.txt").read_text()
    within = np.mean([np.abs(person[0] - one).mean() for person in people for one in person[1:]])
    between = np.mean([np.abs(one - other).mean() for one in people[0] for other in people[1]])
    assert 0 < within < 0.8 * between


def test_ways_between_latents_keep_their_length() -> None:
    torch.manual_seed(0)
    one, other = torch.randn(2, 512)
    way = sampler.between(one, other, 9, spherical=True)
    assert torch.allclose(way[[0, -1]], torch.stack((one, other)), atol=1e-3)
    assert way.norm(dim=1).min() > 0.95 * torch.stack((one, other)).norm(dim=1).min()
    assert torch.allclose(sampler.between(one, other, 3, spherical=False)[1], (one + other) / 2, atol=1e-5)


@pytest.mark.parametrize("generator", ["dcgan", "stylegan"])
def test_a_film_leads_from_one_picture_to_another(generator: str, tmp_path: Path) -> None:
    written("faces", generator)
    sample("faces", **options(interpolate=(1, 2), film=tmp_path / "way.mp4"))
    film = cv2.VideoCapture(str(tmp_path / "way.mp4"))
    assert int(film.get(cv2.CAP_PROP_FRAME_COUNT)) == 48


def test_the_table_mixes_the_columns_styles_into_rows(tmp_path: Path) -> None:
    network = written("faces", "stylegan2")
    sample("faces", **options(mix=(2, 3), grid=tmp_path / "mix.png"))
    assert cv2.imread(str(tmp_path / "mix.png")).shape == (32 * (1 + 2 * 2), 32 * 4, 3)  # coarse and middle layers
    styles = sampler.styles_of(network, sampler.drawn_latents(network, range(2)), None, 1.0)
    table = sampler.mixed(network, styles[:1], styles)
    assert np.array_equal(table["coarse"][0, 0], sampler.of_styles(network, styles[:1])[0])
    assert not np.array_equal(table["coarse"][0, 1], table["middle"][0, 1])


def test_a_photo_of_the_network_is_found_again(tmp_path: Path) -> None:
    network = written("faces", "stylegan2")
    target = sampler.pictures(network, sampler.drawn_latents(network, range(3, 4)), None)[0]
    cv2.imwrite(str(tmp_path / "photo.png"), target[..., ::-1])
    sample("faces", **options(project=tmp_path / "photo.png", steps=80, grid=tmp_path / "found.png"))
    both = cv2.imread(str(tmp_path / "found.png")).astype(float)
    mean = sampler.of_styles(network, network.net.mean_style()[None])[0]
    found = np.abs(both[:, :32] - both[:, 32:]).mean()
    assert found < 0.7 * np.abs(mean.astype(float) - target).mean()
    sample("faces", **options(latents=tmp_path / "found.npz", out=tmp_path / "again"))
    assert np.abs(cv2.imread(str(tmp_path / "again" / "000000.png")) - both[:, 32:]).max() == 0


def test_a_photo_is_compared_by_vgg_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = written("faces", "stylegan2")
    cv2.imwrite(str(tmp_path / "photo.png"), sampler.pictures(network, sampler.drawn_latents(network, (3,)))[0])
    found = []
    for _ in range(2):
        sample("faces", **options(project=tmp_path / "photo.png", steps=8, grid=tmp_path / "found.png"))
        found.append(np.load(tmp_path / "found.npz")["w"])
        if not kept_file().exists():
            assert "compared by pixels;" in capsys.readouterr().out
            keep_vgg()
    assert "compared by pixels and features of VGG;" in capsys.readouterr().out
    assert not np.array_equal(*found)


def test_labels_choose_among_pictures() -> None:
    network = written("people", "dcgan", classes=4)
    noise = sampler.drawn_latents(network, range(2))
    label = network.labels("hair=light,glasses=no", (0, 1))
    assert label is not None and label.tolist() == [[0, 1, 1, 0]] * 2
    dark = sampler.pictures(network, noise, network.labels("dark", (0, 1)))
    assert not np.array_equal(sampler.pictures(network, noise, label), dark)
    for asked, line in (("blond", "use dark, light"), ("hat=yes", "attributes are hair, glasses")):
        with pytest.raises(OptionsError, match=line):
            network.labels(asked, (0,))


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({}, "nowhere to write to"),
        ({"film": Path("a.mp4")}, "one of them is missing"),
        ({"mix": (2, 2)}, "nowhere to write to"),
        ({"mix": (2, 2), "out": Path("a")}, "no place for the pictures .* add --grid"),
        ({"mix": (2, 2), "grid": Path("a.png"), "project": Path("b.png")}, "--project and --mix: they do not work"),
        ({"mix": (2, 2), "grid": Path("a.png"), "out": Path("a")}, "--mix and --out: they do not work"),
        ({"identities": 2, "grid": Path("a.png")}, "--identities: no place .* add --out"),
        ({"interpolate": (1, -1), "film": Path("a.mp4")}, "not two seeds"),
        ({"grid": Path("a.png"), "noise": "loud"}, "use none, constant, random"),
        ({"grid": Path("a.png"), "wanted": "blond"}, "has no labels"),
        ({"grid": Path("a.png"), "mix": (0, 2)}, "not a size for a table"),
        ({"grid": Path("a.png"), "latents": Path("none.npz")}, "--latents none.npz"),
    ],
)
def test_wrong_options_of_sample_are_one_line(
    given: dict[str, Any], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written("faces", "stylegan2")
    with pytest.raises(OptionsError, match=line) as error:
        sample("faces", **options(**given))
    assert "\n" not in str(error.value) and not (tmp_path / "a.png").exists()


def test_latents_that_do_not_fit_are_one_line(tmp_path: Path) -> None:
    network = written("faces", "stylegan2")
    for values, line in ((np.zeros((2, 3)), "takes Nx8"), (np.full((2, 8), np.nan), "NaN or infinity")):
        np.savez(tmp_path / "z.npz", z=values)
        with pytest.raises(OptionsError, match=line):
            sampler.read_latents(network, tmp_path / "z.npz")
    whole = (tmp_path / "z.npz").read_bytes()
    for damaged in (whole[:-40], whole[:60] + bytes(40) + whole[100:], b"PK"):
        (tmp_path / "z.npz").write_bytes(damaged)
        with pytest.raises(OptionsError, match="no NPZ file with an array z or w"):
            sampler.read_latents(network, tmp_path / "z.npz")
    with pytest.raises(OptionsError, match="there is none in"):
        load_portraits("absent")
    card_file = portraits_dir() / "faces.json"
    card_file.write_text(json.dumps({**json.loads(card_file.read_text()), "generator": "toon_net"}))
    with pytest.raises(OptionsError, match="its card is not usable"):
        load_portraits("faces")


def test_the_still_card_becomes_a_portrait() -> None:
    built_in = privacy_fallback.card_with()
    network = written("faces", "stylegan2")
    card("faces", 7, 1.0, "", False)
    privacy_fallback.card.cache_clear()
    shown = privacy_fallback.card((1280, 720))
    portrait = sampler.pictures(network, sampler.drawn_latents(network, range(7, 8)), None)[0][..., ::-1]
    large = cv2.resize(portrait, (560, 560), interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(shown[40:600, 360:920], large)
    card("", 0, 1.0, "", True)
    privacy_fallback.card.cache_clear()
    assert np.array_equal(privacy_fallback.card((1280, 720)), built_in)
    privacy_fallback.card.cache_clear()
