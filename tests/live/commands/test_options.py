"""Options: the command line wins over the settings file, and mistakes are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.errors import OptionsError
from live.options import LiveOptions, load_options, parse_size, settings_file


def write_settings(text: str) -> None:
    settings_file().parent.mkdir(parents=True, exist_ok=True)
    settings_file().write_text(text)


def test_the_command_line_wins_over_the_settings_file_and_that_over_the_defaults() -> None:
    write_settings('[run]\nlook = "bright"\nsize = "640x480"\nsink = ["window", "null"]\nsource = 2\nmax-faces = 2\n')
    options = load_options({"look": "glaze", "fps": None, "sinks": ()})
    assert options.look == "glaze"
    assert options.size_wh == (640, 480)
    assert options.sinks == ("window", "null")
    assert options.source == "2"
    assert options.max_faces == 2
    assert options.fps == LiveOptions().fps


def test_without_a_settings_file_the_defaults_hold() -> None:
    assert load_options({}) == LiveOptions()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[run]\nfps = = 3\n", "not readable.*line 2"),
        ("[walk]\n", "unknown table"),
        ("[run]\nlok = 'glaze'\n", "unknown key 'lok'"),
        ("[run]\nfps = 'fast'\n", "fps = 'fast'"),
        ("[run]\nmax_faces = true\n", "max_faces = True"),
        ("[run]\nfps = 1000\n", "--fps 1000.*1 to 240"),
    ],
)
def test_a_mistake_in_the_settings_file_is_named(text: str, says: str) -> None:
    write_settings(text)
    with pytest.raises(OptionsError, match=says):
        load_options({})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"strength": 1.5}, "--strength 1.5.*0 to 1"),
        ({"strength": float("nan")}, "--strength nan"),
        ({"max_faces": 5}, "--max-faces 5"),
        ({"frames": 0}, "--frames 0"),
        ({"size_wh": "1280"}, "WIDTHxHEIGHT"),
        ({"size_wh": "9x9"}, "16 to 8192"),
        ({"fps": 0}, "--fps 0"),
    ],
)
def test_an_impossible_option_is_named(given: dict[str, object], says: str) -> None:
    with pytest.raises(OptionsError, match=says):
        load_options(given)


def test_sizes_are_read() -> None:
    assert parse_size("1280x720") == (1280, 720)
    assert parse_size(" 640X480 ") == (640, 480)


def test_builds_are_switched_off_by_the_settings_and_on_again_by_the_command_line() -> None:
    assert load_options({}).build
    write_settings("[run]\nbuild = false\n")
    assert not load_options({"build": None}).build
    assert load_options({"build": True}).build
    write_settings("[run]\nbuild = 'never'\n")
    with pytest.raises(OptionsError, match="build = 'never'.*write a bool"):
        load_options({})


def test_paths_in_the_settings_may_start_at_home() -> None:
    write_settings('[run]\nreport = "~/r.json"\n')
    assert load_options({}).report == Path.home() / "r.json"
