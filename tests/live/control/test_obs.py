"""OBS: a scene selects a look, and a look a scene, with the real OBS."""

from __future__ import annotations

import base64
import contextlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from support.cli_parts import call
from support.obs_parts import PASSWORD, SCENES, ask_obs, free_port, obs, scene_of, screen_for_obs
from support.panel_parts import PanelProgram, panel_program

from engines.errors import OptionsError
from live.control.controls import Controls
from live.control.obs_link import ObsLink
from live.control.obs_settings import ObsSettings, load_obs_settings
from live.settings import settings_file

WITHIN_S = 120


def until(holds: Callable[[], object], why: object) -> None:
    deadline_s = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < deadline_s, why
        time.sleep(0.1)


def said(program: PanelProgram, words: str, times: int = 1) -> Callable[[], bool]:
    return lambda: sum(words in line for line in program.said) >= times


def look_is(program: PanelProgram, name: str) -> Callable[[], bool]:
    return lambda: f"look {name}" in program.command("status")["says"]


def write_settings(home: Path, text: str) -> None:
    (home / "config").mkdir(parents=True, exist_ok=True)
    (home / "config" / "settings.toml").write_text(text)


@contextlib.contextmanager
def program_behind_a_proxy(home: Path) -> Iterator[PanelProgram]:
    """The program in an environment with a proxy, which OBS must not be asked through."""
    with contextlib.ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy"):
            patch.setenv(name, "http://127.0.0.1:9")
        program = stack.enter_context(panel_program(home, "--obs", sink="null"))
        patch.undo()
        yield program


def assert_a_wrong_password_is_said_once(port: int) -> None:
    lines: list[str] = []
    settings = ObsSettings(f"127.0.0.1:{port}", "wrong", {"Talk": "toon"})
    link = ObsLink(settings, Controls(("glaze", "toon"), look="glaze"), lines.append)
    link.start()
    until(lambda: lines, "the password is named")
    link.close()
    (line,) = lines
    assert re.fullmatch(r"OBS at [0-9.:]+: the password is wrong - write password = .* in .*settings\.toml.*", line)


def test_scenes_and_looks_select_each_other(tmp_path: Path) -> None:
    port, home = free_port(), tmp_path / "home"
    table = f'[obs]\naddress = "127.0.0.1:{port}"\npassword = "{PASSWORD}"\n'
    write_settings(home, table + '[obs.scenes]\nTalk = "comic"\nBreak = "toon"\nGone = "sketch"\n')
    with screen_for_obs() as display, program_behind_a_proxy(home) as program:
        until(said(program, f"OBS at 127.0.0.1:{port}: "), program.said)
        with obs(tmp_path / "obs", port, display):
            until(said(program, "OBS: connected, scene 'Talk'"), program.said)
            until(said(program, "OBS has no scene 'Gone'"), program.said)
            until(look_is(program, "comic"), "the scene at the start selects its look")
            program.command("look", "toon")
            until(lambda: scene_of(port) == "Break", "a look selects its scene")
            ask_obs(port, "SetCurrentProgramScene", sceneName="Talk")
            until(look_is(program, "comic"), "a scene selects its look")
            for name in ("toon", "comic", "toon"):
                program.command("look", name)
            until(lambda: scene_of(port) == "Break", "the last of several looks counts")
            time.sleep(1.0)  # the events of the scenes before have come
            assert look_is(program, "toon")() and scene_of(port) == "Break"
            program.command("look", "sketch")
            until(said(program, "OBS does not show the scene 'Gone'"), program.said)
            program.command("look", "glaze")
            assert_a_wrong_password_is_said_once(port)
        until(said(program, "OBS: the connection was lost"), program.said)
        with obs(tmp_path / "obs", port, display):
            until(said(program, "OBS: connected", times=2), program.said)
            until(look_is(program, "comic"), "it came back with another scene")
        assert not any(PASSWORD in line for line in program.said)


def obs_answers(port: int) -> bool:
    try:
        ask_obs(port, "GetVersion")
    except Exception:  # it starts
        return False
    return True


def screenshot(port: int, source: str) -> Any:
    """Return what OBS shows of a source as BGR."""
    try:
        answer = ask_obs(port, "GetSourceScreenshot", sourceName=source, imageFormat="png")
    except AssertionError:  # it has no size yet
        return np.zeros((1, 1, 3), np.uint8)
    data = base64.b64decode(answer["imageData"].partition(",")[2])
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def test_obs_shows_the_painted_picture(tmp_path: Path) -> None:
    """A film, because there is no virtual camera here, and OBS under emulation does not answer; see docs/panel.md."""
    port, film = free_port(), tmp_path / "film.mp4"
    painted = ("run", "--source", "demo", "--size", "320x180", "--frames", "20", "--look", "sketch", "--no-build")
    assert call(*painted, "--sink", f"file:{film}").returncode == 0
    with av.open(film) as container:
        expected = next(container.decode(video=0)).to_ndarray(format="bgr24").astype(int)
    with screen_for_obs() as display, obs(tmp_path / "obs", port, display):
        until(lambda: obs_answers(port), "OBS answers")
        settings = {"local_file": str(film), "looping": True}
        source = {"sceneName": SCENES[0], "inputName": "Film", "inputKind": "ffmpeg_source", "inputSettings": settings}
        ask_obs(port, "CreateInput", **source)
        until(lambda: screenshot(port, "Film").shape == expected.shape, "OBS shows the film")
        until(lambda: np.abs(screenshot(port, "Film") - expected).mean() < 10, "the picture is the painted one")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[obs]\nadress = 'x'\n", "line 2: unknown key 'adress' - did you mean 'address'"),
        ("[obs]\naddress = '127.0.0.1'\n", "line 2: address = '127.0.0.1' - write \"HOST:PORT\""),
        ("[obs]\naddress = 'localhost:99999'\n", "line 2: address = 'localhost:99999'"),
        ("[obs]\npassword = 12345\n", "line 2: the password is not a text"),
        ("[obs]\nscenes = 3\n", "line 2: not a table"),
        ("[obs.scenes]\nTalk = 3\n", "line 2: 3 is not a look"),
        ("[obs.scenes]\nTalk = 'tooon'\n", "line 2, look 'tooon': there is no such look - did you mean 'toon'"),
        ("[obs]\n", "--obs: no scene has a look - write [obs.scenes]"),
    ],
)
def test_mistakes_of_the_table_are_named(text: str, message: str) -> None:
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text(text)
    with pytest.raises(OptionsError) as caught:
        load_obs_settings(["glaze", "toon"])
    assert message in str(caught.value) and "12345" not in str(caught.value)


def test_a_run_without_scenes_ends_with_one_line() -> None:
    done = call("run", "--source", "demo", "--sink", "null", "--obs")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("veneer: --obs: no scene has a look")
