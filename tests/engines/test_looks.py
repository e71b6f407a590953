"""Looks: the shipped ones, the user's own, and messages for mistakes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from engines.drawing.medium import MEDIA
from engines.errors import LookError
from engines.looks import find_look
from engines.looks_file import load_looks, user_file
from engines.styles import Style


def test_shipped_looks_are_in_key_order() -> None:
    names = list(load_looks())
    assert names[:5] == ["none", "toon", "comic", "gouache", "glaze"]


def test_only_covering_looks_hold_without_a_face() -> None:
    looks = load_looks()
    covering = {name for name, look in looks.items() if look.no_face != "raw"}
    drawn = {name for name in looks if name.split("-")[0] in ("toon", "comic", "gouache")}
    assert len(drawn) == 8 and covering == {*drawn, "sketch", "woodblock", "vangogh", "kandinsky"}
    assert all(
        (looks[name].no_face, looks[name].hold_s, looks[name].then) == ("hold", 0.5, "blur") for name in covering
    )


def test_own_covering_look_holds_by_default(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '[looks.a]\nlayers = [{ style = "toon" }]\n'
        '[looks.b]\nlayers = [{ style = "toon", region = "frame" }]\nno_face = "card"\n'
    )
    looks = load_looks(path)
    assert (looks["a"].no_face, looks["a"].hold_s) == ("hold", 0.5)
    assert looks["b"].no_face == "card"
    places = [
        (layer.style.region, layer.style.size_wh) for layer in looks["b"].layers if isinstance(layer.style, Style)
    ]
    assert places == [("frame", (256, 144)), ("head", (192, 192))], "the frame coarsely, each head finely"


def test_a_drawn_layer_takes_a_medium_and_its_values(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '[looks.a]\nlayers = [{ style = "toon", region = "person", medium = "comic", line = 2, eyes = 1.0 }]\n'
    )
    for layer in load_looks(path)["a"].layers:
        assert layer.medium == replace(MEDIA["comic"], line=2, eyes=1.0)
    for wrong, message in (
        ('medium = "oil"', "use one of cel, comic, gouache"),
        ("line = -1", "line = -1: out of range - use 0.0 to 3.0"),
        ("lines = 1", "did you mean 'line'"),
        ('region = "head", line = "bold"', "line = 'bold'"),
    ):
        path.write_text(f'[looks.a]\nlayers = [{{ style = "toon", {wrong} }}]\n')
        with pytest.raises(LookError, match=re.escape(message)):
            load_looks(path)
    path.write_text('[looks.a]\nlayers = [{ style = "soft", medium = "comic" }]\n')
    with pytest.raises(LookError, match="unknown key 'medium'"):
        load_looks(path)


def test_own_look_replaces_a_shipped_one(veneer_home: Path) -> None:
    user_file().parent.mkdir(parents=True)
    user_file().write_text(
        '[looks.glaze]\nabout = "mine"\nlayers = [{ style = "lips-glaze" }]\n'
        "[looks.party]\n"
        'layers = [{ style = "lips-glaze", strength = 0.5 }, { style = "shade", color = "#112233" }]\n'
        'no_face = "hold"\nhold_s = 0.5\nthen = "card"\n'
    )
    looks = load_looks()
    assert looks["glaze"].about == "mine"
    assert list(looks)[-1] == "party"
    party = looks["party"]
    assert [layer.strength for layer in party.layers] == [0.5, 1.0]
    assert (party.no_face, party.hold_s, party.then) == ("hold", 0.5, "card")


def test_order_of_the_looks_file_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    layers = 'layers = [{ style = "lips-glaze" }]\n'
    path.write_text(f'order = ["party", "sketch"]\n[looks.party]\nkey = "p"\n{layers}[looks.other]\n{layers}')
    looks = load_looks(path)
    shipped = [name for name in load_looks() if name != "sketch"]
    assert list(looks) == ["party", "sketch", *shipped, "other"]
    assert (looks["party"].key, looks["other"].key, looks["none"].key) == ("p", "", "0")
    path.write_text(f'[looks.party]\nkey = "0"\n{layers}')
    looks = load_looks(path)
    assert (looks["party"].key, looks["none"].key) == ("0", ""), "the key of an own look is taken from a shipped one"


def test_unknown_look_suggests_similar_names() -> None:
    with pytest.raises(LookError, match="'glase'.*did you mean 'glaze'"):
        find_look(load_looks(), "glase")
    with pytest.raises(LookError, match="looks are none, toon"):
        find_look(load_looks(), "zzzzzz")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[looks.a]\nlayers = = 3\n", "line 2"),
        ("x = 1\n", "unknown table"),
        ("looks = 3\n", "use .looks.NAME. tables"),
        ("[looks]\na = 3\n", "is not a table"),
        ("[looks.a]\ncolour = 1\n", "unknown key 'colour'"),
        ("[looks.a]\nlayers = 3\n", "layers is not a list"),
        ("[looks.a]\nlayers = [3]\n", "layer 3"),
        ('[looks.a]\nlayers = [{ style = "lips-glace" }]\n', "line 2: .*did you mean 'lips-glaze'"),
        ('[looks.a]\nlayers = [{ style = "lips-glaze", strength = 1.5 }]\n', "strength 1.5.*from 0 to 1"),
        ('[looks.a]\nlayers = [{ style = "lips-glaze", strength = nan }]\n', "strength nan"),
        ('[looks.a]\nlayers = [{ style = "lips-glaze", strength = true }]\n', "strength True"),
        ('[looks.a]\nlayers = [{ style = "lips-glaze", color = "#112233" }]\n', "unknown key 'color'"),
        ('[looks.a]\nlayers = [{ style = "shade", color = "red" }]\n', "#rrggbb"),
        ('[looks.a]\nlayers = [{ style = "shade", color = "#112233", finish = "wet" }]\n', "matte, satin, gloss"),
        ('[looks.a]\nlayers = [{ style = "toon", region = "lips" }]\n', "'toon' on region 'lips'.*cannot work there"),
        ('[looks.a]\nlayers = [{ style = "lips-glaze", region = "head" }]\n', "use lips"),
        ('[looks.a]\nlayers = [{ style = "shade", color = "#112233", region = "lips" }]\n', "unknown key 'region'"),
        ("[looks.a]\nlayers = []\n", "line 2: it has no layer, so it would show the bare face - give it a layer"),
        ('[looks.a]\nabout = "plain"\n', "line 1: it has no layer"),
        ('[looks.a]\nno_face = "nothing"\n', "raw, hold, blur, card"),
        ('[looks.a]\nno_face = "hold"\nthen = "hold"\n', "line 3: then = 'hold' - use one of raw, blur, card$"),
        ("[looks.none]\n[looks.'my a']\n\nhold_s = -1\n", "line 4: hold_s = -1"),
        ("[looks.a]\nhold_s = -1\n", "hold_s = -1"),
        ("order = 3\n", "order = 3"),
        ('order = ["glase"]\n', "no look 'glase'.*did you mean 'glaze'"),
        ('[looks.a]\nkey = "ab"\n', "key = 'ab'"),
        ('[looks.a]\nkey = "Q"\n', "one small letter or a digit"),
        ("[looks.a]\nkey = 3\n", "key = 3"),
        ("\xff", "not TOML"),
    ],
)
def test_mistake_in_a_looks_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "looks.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(LookError, match=message) as caught:
        load_looks(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_looks_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "looks.toml").write_text('\ufeff[looks.a]\nlayers = [{ style = "lips-glaze" }]\n', encoding="utf-8")
    assert "a" in load_looks(tmp_path / "looks.toml")


def test_missing_looks_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LookError, match=r"mine\.toml.*No such file"):
        load_looks(tmp_path / "mine.toml")
