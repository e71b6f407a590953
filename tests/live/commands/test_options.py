"""Options: the command line over the settings file over the defaults, and one line for each mistake."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
from support.cli_parts import call
from typer.testing import CliRunner

from engines.errors import OptionsError
from engines.option_fields import with_options
from live.option_values import parse_size
from live.options import LiveOptions, load_apply_options, load_options
from live.settings import settings_file


def write_settings(text: str) -> None:
    settings_file().parent.mkdir(parents=True, exist_ok=True)
    settings_file().write_text(text, encoding="utf-8")


def options_from(*arguments: str) -> LiveOptions:
    """The options of `veneer run` with these arguments."""
    options: list[LiveOptions] = []
    app = typer.Typer()

    @app.command()
    @with_options(LiveOptions)
    def command(**given: Any) -> None:
        """Read the options."""
        options.append(load_options(given))

    CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    return options[0]


def test_command_line_overrides_settings_and_defaults() -> None:
    write_settings('[run]\nlook = "bright"\nsize = "640x480"\nsink = ["window", "null"]\nsource = 2\nmax-faces = 2\n')
    options = options_from("--look", "glaze")
    assert options.look == "glaze"
    assert options.size_wh == (640, 480)
    assert options.sinks == ("window", "null")
    assert options.source == "2"
    assert options.max_faces == 2
    assert options.fps == LiveOptions().fps
    assert options_from("--sink", "null", "--size", "320x240").sinks == ("null",)


def test_defaults_apply_without_a_settings_file() -> None:
    assert options_from() == load_options({}) == LiveOptions()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[run]\nfps = = 3\n", ": not TOML.*line 2"),
        ("# mine\n[walk]\n", ", line 2: unknown table 'walk'"),
        ("run = 3\n", ", line 1: run = 3 is not a table"),
        ("[run]\nlok = 'glaze'\n", ", line 2: unknown key 'lok'.*did you mean 'look'"),
        ("[run]\nfps = 'fast'\n", ", line 2: fps = 'fast'"),
        ("[run]\nmax_faces = true\n", ", line 2: max_faces = True"),
        ("[run]\n\n# slow\nfps = 1000\n", ", line 4: fps = 1000: out of range - use 1 to 240"),
        ("run = { fps = 1000 }\n", ", line 1: fps = 1000"),
        ("[run]\nsize = '9'\n", ", line 2: size = '9': not a size - write WIDTHxHEIGHT"),
        ("[run]\nsize = 720\n", ", line 2: size = 720.*write"),
        ("[run]\nruntime = 'tpu'\n", ", line 2: runtime = 'tpu': there is no such runtime"),
        ("[run]\nsink = []\n", r", line 2: sink = \[\]: an empty list"),
        ("[run]\nlooks_file = '/nowhere/x'\n", ", line 2, looks_file = '/nowhere/x': there is no such file"),
        (f"[run]\nfps = 1{'0' * 400}\n", ": not TOML: .*key 'fps' does not fit 64 bits"),
        ("[run]\nbuild = 'never'\n", ", line 2: build = 'never'.*write true or false"),
    ],
)
def test_mistake_in_the_settings_file_is_named(text: str, message: str) -> None:
    write_settings(text)
    with pytest.raises(OptionsError, match=f"^settings file {re.escape(str(settings_file()))}{message}") as caught:
        load_options({})
    assert "--" not in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("look = 'glase'", "there is no such look - did you mean 'glaze'"),
        ("sink = 'windw'", "there is no such sink - did you mean window"),
        ("source = 'nothing.mp4'", "there is no such file"),
        ("report = '/nowhere/r.json'", "there is no folder /nowhere"),
        ("report = 'a.mp4'", "it is the same file as --sink file:a.mp4"),
    ],
)
def test_settings_found_wrong_later_are_named(tmp_path: Path, entry: str, message: str) -> None:
    write_settings(f"[run]\nfps = 25\n{entry}\n")
    given = {"source": "demo", "sink": "file:a.mp4", "frames": "1"}
    options = [f"--{name}={value}" for name, value in given.items() if not entry.startswith(name)]
    done = call("run", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert f"settings.toml, line 3, {entry}: {message}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("entry", ["look = 'glase'", "quality = 1000", "encoder = 'x264'", "preset = 'quick'"])
def test_settings_of_apply_found_wrong_later_are_named(tmp_path: Path, entry: str) -> None:
    write_settings(f"[apply]\n{entry}\n")
    (tmp_path / "a.mp4").write_bytes(b"film")
    done = call("apply", "a.mp4", "b.mp4", cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert f"settings.toml, line 2, {entry}: " in done.stderr and "--" not in done.stderr


def test_folder_instead_of_the_settings_file_is_named() -> None:
    settings_file().mkdir(parents=True)
    with pytest.raises(OptionsError, match=r"settings\.toml.*folder|settings\.toml.*directory"):
        load_options({})


def test_settings_may_begin_with_a_byte_order_mark() -> None:
    write_settings("\ufeff[run]\nfps = 25\n")
    assert load_options({}).fps == 25


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--strength", "1.5"), "--strength 1.5.*0 to 1"),
        (("--strength", "nan"), "--strength nan"),
        (("--max-faces", "5"), "--max-faces 5"),
        (("--frames", "0"), "--frames 0"),
        (("--size", "1280"), "WIDTHxHEIGHT"),
        (("--size", "9x9"), "16 to 8192"),
        (("--fps", "0"), "--fps 0"),
        (("--runtime", "fast"), "--runtime fast.*no such runtime"),
    ],
)
def test_option_out_of_range_is_named(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        options_from(*arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[apply]\nquality = 3.5\n", "quality = 3.5.*write a whole number"),
        ("[apply]\nqualty = 3\n", "unknown key 'qualty'.*did you mean 'quality'"),
        ("[apply]\nsize = 'big'\n", ", line 2: size = 'big'"),
        ("[applied]\n", r", line 1: unknown table 'applied' - use \[run\], \[apply\] and \[obs\]"),
    ],
)
def test_mistake_in_the_settings_of_apply_is_named(text: str, message: str) -> None:
    write_settings(text)
    with pytest.raises(OptionsError, match=message):
        load_apply_options({})


def test_sizes_are_read() -> None:
    assert parse_size("1280x720") == (1280, 720)
    assert parse_size(" 640X480 ") == (640, 480)


def test_command_line_turns_builds_on_again() -> None:
    write_settings("[run]\nbuild = false\n")
    assert not options_from().build
    assert options_from("--build").build


def test_paths_in_the_settings_may_start_at_home() -> None:
    write_settings('[run]\nreport = "~/r.json"\n')
    assert load_options({}).report == Path.home() / "r.json"
