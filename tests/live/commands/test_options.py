"""Options: the command line over the settings file over the defaults, and one line for each mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from engines.errors import OptionsError
from engines.option_fields import with_options
from live.options import LiveOptions, load_apply_options, load_options, parse_size, settings_file


def write_settings(text: str) -> None:
    settings_file().parent.mkdir(parents=True, exist_ok=True)
    settings_file().write_text(text)


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
        ("[run]\nfps = = 3\n", "not readable.*line 2"),
        ("[walk]\n", "unknown table"),
        ("run = 3\n", "run = 3 is not a table"),
        ("[run]\nlok = 'glaze'\n", "unknown key 'lok'.*did you mean 'look'"),
        ("[run]\nfps = 'fast'\n", "fps = 'fast'"),
        ("[run]\nmax_faces = true\n", "max_faces = True"),
        ("[run]\nfps = 1000\n", "--fps 1000.*1 to 240"),
        ("[run]\nsize = '9'\n", "WIDTHxHEIGHT"),
        ("[run]\nsize = 720\n", "size = 720.*write"),
        (f"[run]\nfps = 1{'0' * 400}\n", "key 'fps' does not fit 64 bits"),
        ("[run]\nbuild = 'never'\n", "build = 'never'.*write true or false"),
    ],
)
def test_mistake_in_the_settings_file_is_named(text: str, message: str) -> None:
    write_settings(text)
    with pytest.raises(OptionsError, match=message):
        load_options({})


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
        ("[apply]\nsize = 'big'\n", "WIDTHxHEIGHT"),
        ("[applied]\n", r"unknown table 'applied' - use \[run\] and \[apply\]"),
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
