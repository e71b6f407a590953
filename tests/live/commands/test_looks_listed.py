"""`veneer looks` lists what each look shows without a face."""

from __future__ import annotations

from pathlib import Path

from support.cli_parts import call

OWN = """
[looks.patient]
no_face = "hold"
hold_s = 2
then = "card"
layers = [{ style = "toon" }]

[looks.stays]
no_face = "hold"
hold_s = inf
layers = [{ style = "toon" }]

[looks.hidden]
no_face = "blur"
layers = [{ style = "toon" }]
"""


def test_list_shows_the_key_of_each_look(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('order = ["sketch"]\n' + OWN + 'key = "x"\n')
    listed = call("looks", "--looks-file", tmp_path / "own.toml").stdout
    keys = {line[3:].split()[0]: line[0] for line in listed.splitlines()}
    assert (keys["sketch"], keys["none"], keys["patient"], keys["hidden"]) == ("1", "0", "P", "X")


def test_list_shows_the_fallback_of_each_look(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(OWN)
    listed = call("looks", "--looks-file", tmp_path / "own.toml")
    assert listed.returncode == 0, listed.stderr
    ends = {line[3:].split()[0]: line.partition("(")[2] for line in listed.stdout.splitlines()}
    assert ends["toon"] == "no face: hold 0.5 s, then blur)"
    assert ends["patient"] == "no face: hold 2 s, then card)"
    assert (ends["stays"], ends["hidden"], ends["glaze"]) == ("no face: hold)", "no face: blur)", "no face: raw)")
