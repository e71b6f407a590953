"""`veneer styles`, `looks` and `doctor` show what of the user's own is used instead of something shipped."""

from __future__ import annotations

import json
import shutil

import pytest
from support.cli_parts import call

from engines.looks_file import user_file
from engines.style_lookup import load_style, own_folder
from engines.styles import SHIPPED
from live.diagnostics.doctor import examine


@pytest.fixture
def own_toon() -> None:
    own_folder().mkdir(parents=True)
    for suffix in ("json", "safetensors"):
        shutil.copy(SHIPPED / f"toon.{suffix}", own_folder())


def listed() -> dict[str, str]:
    """The line of each style."""
    done = call("styles")
    assert done.returncode == 0, done.stderr
    return {line.split()[0]: " ".join(line.split()[1:]) for line in done.stdout.splitlines()[:-1]}


def test_shipped_styles_are_listed_with_cost_and_licence() -> None:
    words = listed()["toon"].split()
    size = "{}x{}".format(*load_style("toon").size_wh)
    assert words[:3] == ["plane_net", "head", size] and words[4] == "GMAC" and words[6] == "ms"
    assert float(words[3]) > 0 and float(words[5]) > 0 and words[7:] == ["shipped;", "Apache-2.0"]
    assert listed()["toon"].split()[5] == words[5], "the time is measured once"


def test_own_style_is_listed_with_its_source_and_removed() -> None:
    own_folder().mkdir(parents=True)
    card = json.loads((SHIPPED / "sketch.json").read_text())
    (own_folder() / "mine.json").write_text(json.dumps({**card, "source": "net.pt", "licence": "CC0\nby anyone"}))
    shutil.copy(SHIPPED / "sketch.safetensors", own_folder() / "mine.safetensors")
    assert listed()["mine"].endswith("ms your own, from net.pt; CC0 by anyone")
    user_file().parent.mkdir(parents=True)
    user_file().write_text('[looks.drawn]\nlayers = [{ style = "mine" }]\n')
    done = call("styles", "remove", "mine")
    assert done.returncode == 2 and "it is used by the looks drawn - take them out of" in done.stderr
    user_file().unlink()
    assert call("styles", "remove", "mine").stdout.strip() == "mine: removed mine.json, mine.safetensors"
    assert "mine" not in listed()
    for name, line in (("mine", "you have no such style"), ("toon", "it comes with the program")):
        done = call("styles", "remove", name)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1) and line in done.stderr


@pytest.mark.usefixtures("own_toon")
def test_style_instead_of_a_shipped_one_is_shown() -> None:
    user_file().parent.mkdir(parents=True)
    user_file().write_text('[looks.bright]\nlayers = [{ style = "lips-glaze" }]\n')
    assert "instead of the shipped one; to go back: veneer styles restore toon" in listed()["toon"]
    looks = {line[3:].split()[0]: line for line in call("looks").stdout.splitlines()}
    assert looks["toon"].endswith("[your style 'toon' instead of the shipped one]")
    assert looks["bright"].endswith("[your look 'bright' instead of the shipped one]")
    assert "instead" not in looks["glaze"]
    (check,) = examine(["styles and looks"])
    assert "your style 'toon' is used instead" in check.says and "your look 'bright' is used instead" in check.says
    assert check.do == "to go back: veneer styles restore toon"


@pytest.mark.usefixtures("own_toon")
def test_restore_keeps_the_own_style_under_a_new_name() -> None:
    weights = (own_folder() / "toon.safetensors").read_bytes()
    assert "your own is now called my-toon" in call("styles", "restore", "toon").stdout
    assert not load_style("toon").replaces_shipped
    assert load_style("my-toon").weights.read_bytes() == weights
    assert "in use already" in call("styles", "restore", "toon").stdout


def test_restore_of_an_unknown_style_is_one_line() -> None:
    done = call("styles", "restore", "tone")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "did you mean 'toon'" in done.stderr


def test_damaged_style_is_listed_with_the_reason() -> None:
    own_folder().mkdir(parents=True)
    (own_folder() / "mine.json").write_text("{")
    assert listed()["mine"].startswith("your own, not usable: style card")
