"""Bad input gets one clear line and exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.cli_parts import call


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--source", "/dev/video97", "--sink", "null"], "video97"),
        (["run", "--source", "nothing.mp4", "--sink", "null"], "no such file"),
        (["run", "--source", "demo", "--sink", "null", "--look", "glase"], "did you mean 'glaze'"),
        (["run", "--source", "demo", "--sink", "windw"], "window"),
        (["run", "--source", "demo", "--sink", "null", "--strength", "1.5"], "0 to 1"),
        (["run", "--source", "demo", "--sink", "null", "--size", "big"], "WIDTHxHEIGHT"),
        (["run", "--source", "demo", "--sink", "null", "--runtime", "tpu"], "openvino"),
        (["run", "--source", "demo", "--sink", "file:/nowhere/film.mp4"], "/nowhere"),
        (["run", "--source", "demo", "--sink", "null", "--report", "/nowhere/r.json"], "/nowhere"),
        (["run", "--source", "demo", "--sink", "null", "--looks-file", "mine.toml"], "mine.toml"),
        (["run", "--source", "demo", "--sink", "null", "--face-model", "x.task"], "x.task"),
        (["run", "--source", "demo", "--sink", "window", "--frames", "3"], "DISPLAY"),
        (["run", "--source", "demo", "--sink", "null", "--global-hotkeys", "--frames", "3"], ""),
        (["apply", "nothing.png", "out.png"], "no such file"),
        (["looks", "--sheet", "/nowhere/sheet.png"], "/nowhere"),
        (["looks", "--sheet", "me.png", "--photo", "./me.png"], "the same file"),
        (["looks", "--sheet", "sheet.xyz"], "--sheet sheet.xyz: "),
        (["looks", "--sheet", "sheet.png", "--photo", "nothing.png"], "no such file or directory - check the path"),
        (["demo", "--output", "/proc/demo.mp4"], "/proc"),
        (["engines", "build", "--runtime", "nope"], "--runtime nope: there is no such runtime - use auto"),
        (["train", "x", "--teacher", "toon"], "train x: --teacher without --faces - give"),
        (["train", "x", "--teacher", "toon", "--faces", "nowhere"], "--faces nowhere: there is no such folder"),
        (["apply", ".", "."], "name another folder"),
        (["apply", "nothing.png", "out.png", "--size", "640x480"], "no such file"),
        (["ctl", "status", "--pid", "1"], "process id 1"),
        (["evaluate", "lips-glase", "--before", ".", "--after", "."], "lips-glaze"),
        (["ctl", "look", "glaze"], "veneer"),
        (["ctl", "strength", "-0.5"], "veneer"),
        (["run", "--frames", "abc"], "--frames"),
        (["run", "--nope"], "--nope"),
        (["nonsense"], "nonsense"),
        (["run", "--source", "demo", "--sink", "file:a.mp4", "--sink", "file:a.mp4"], "the same file"),
        (["run", "--source", "demo", "--sink", "file:a.mp4", "--report", "a.mp4"], "the same file"),
        (["run", "--source", "a.mp4", "--sink", "file:a.mp4"], "the same file"),
        (["run", "--source", "~nosuchuser/a.mp4", "--sink", "null"], "no such user"),
        (["run", "--source", "demo", "--sink", "null", "--report", "r" * 300], "name"),
    ],
)
def test_bad_input_gives_one_line_and_exit_code_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = call(*arguments, cwd=tmp_path, env={"DISPLAY": "", "WAYLAND_DISPLAY": "", "XDG_SESSION_TYPE": ""})
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("veneer: ") and message in lines[0]


@pytest.mark.parametrize("arguments", [["train"], ["engines"], ["calibrate", "collect"]])
def test_missing_command_or_argument_prints_no_empty_message(arguments: list[str]) -> None:
    done = call(*arguments)
    assert done.returncode == 2 and "veneer:  -" not in done.stderr
    assert "Usage" in done.stdout + done.stderr or done.stderr.startswith("veneer: Missing")
