"""`veneer` without a command: the page says what is missing, and the last choices are remembered."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.panel_parts import PHONE_HOST, SIZE_WH, PanelProgram, panel_program, program_with_page
from support.root import ROOT

from live.render.privacy_fallback import card


def until(page: Any, selector: str) -> None:
    page.wait_for_selector(selector, timeout=120_000)


def start(home: Path) -> Any:
    settings = home / "config" / "settings.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text('[run]\npanel-port = 0\nsize = "640x360"\nfps = 15\nbuild = false\n')
    return program_with_page(home, "--no-browser")


def last_picture(film: Path) -> Any:
    """Return the last picture of a film as BGR."""
    with av.open(film) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)][-1]


def assert_second_start_opens_the_first(program: PanelProgram) -> None:
    command = [sys.executable, "-m", "live", "--no-browser"]
    done = subprocess.run(command, cwd=ROOT, env=program.environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert f"it runs already; control page: http://127.0.0.1:{program.port}/#code=" in done.stderr


@pytest.mark.skipif(bool(list(Path("/dev").glob("video*"))), reason="this machine has a camera")
def test_the_page_helps_from_nothing_to_a_picture(browser: Any, tmp_path: Path) -> None:
    with start(tmp_path) as program:
        page = browser.new_page()
        page.goto(program.link)
        until(page, "#missing li:has-text('this machine has no camera')")
        until(page, "#missing li:has-text('v4l2loopback')")
        assert_second_start_opens_the_first(program)
        page.click("text=Use the demo portrait")
        until(page, "#preview[data-pictures]")
        page.wait_for_selector("#missing li:has-text('camera 0')", state="detached")
        until(page, '.tile[data-status=ready] >> text="comic"')
        page.locator('.tile:has(.name:text-is("comic"))').click()
        until(page, "#preview[data-look=comic]")
        page.click("#tab-setup")
        page.select_option("#camera-size", "640x480")
        until(page, "#preview[height='480']")
        until(page, "#source-facts:has-text('640 x 480')")
        assert 0 < program.message("stats")["fps"] < 20, "the rate of the settings, also without an output"
        assert "there is no such camera" in program.command("camera", "/etc/passwd")["error"]
        page.click("#quit")
        page.click("text=Press again to end Veneer")
        until(page, "#connection:has-text('Veneer has ended')")
        assert program.process.wait(30) == 0
        page.close()
    last = json.loads((tmp_path / "config" / "last.json").read_text())
    assert (last["look"], last["source"], last["size"]) == ("comic", "demo", "640x480")
    assert last["sinks"] == ["virtual-camera"], "it is tried again next time"
    with start(tmp_path) as program:
        state = program.message("state")
        assert state["look"] == "comic"
        assert [one["name"] for one in state["missing"]] == ["virtual-camera"]


def test_a_run_without_the_page_imports_nothing_of_it(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "live", "run", "--source", "demo", "--sink", "null"]
    command += ["--frames", "5", "--no-build"]
    environment = os.environ | {"VENEER_HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "live.session" in loaded
    assert not {"starlette", "uvicorn", "websockets", "h11", "tomlkit", "live.panel"} & loaded


def test_a_damaged_file_is_named_and_not_used(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "last.json").write_text('{"look": 3')
    with start(tmp_path) as program:
        assert any("last.json is not used" in line for line in program.said)


def test_outputs_are_switched_while_it_runs(browser: Any, tmp_path: Path) -> None:
    with panel_program(tmp_path, "--sink", "null") as program:
        page, film = browser.new_page(), f"file:{program.output}"
        page.goto(program.link)
        page.click("#tab-setup")
        page.locator("#sinks button", has_text=film).click()
        until(page, f"#sinks [aria-checked=false]:has-text('{film}')")
        page.locator("#sinks button", has_text="none, this page only").click()
        until(page, "#sinks [aria-checked=false]:has-text('none, this page only')")
        page.locator("#sinks button", has_text="none, this page only").click()
        until(page, "#sinks [aria-checked=true]:has-text('none, this page only')")
        until(page, "#preview[data-pictures]")
        for _ in range(100):
            with contextlib.suppress(av.error.InvalidDataError, FileNotFoundError):  # it is being completed
                assert last_picture(program.output).shape == (SIZE_WH[1], SIZE_WH[0], 3)
                break
            time.sleep(0.1)
        else:
            pytest.fail("the film is not complete")
        page.close()


def test_a_lost_connection_returns(browser: Any, tmp_path: Path) -> None:
    with panel_program(tmp_path) as program:
        page = browser.new_page()
        page.goto(program.link)
        until(page, "#connection[data-state=connected]")
        port = str(program.port)
        assert "this run serves the page to this machine only" in program.command("panel", "phone")["error"]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((PHONE_HOST, program.port), timeout=20)
        page.click("#panic")
        until(page, "#banner[data-level=card]")
        page.wait_for_timeout(1000)
    until(page, "#connection[data-state=lost], #connection[data-state=refused]")
    difference = np.abs(last_picture(program.output).astype(int) - card(SIZE_WH))
    assert difference.mean() < 4, "the film that it wrote ends with the card"
    with panel_program(tmp_path, "--panel-port", port, sink="null") as program:
        until(page, "#connection[data-state=connected]")
        assert program.command("look", "comic")["ok"]
        until(page, '.tile[aria-pressed=true] >> text="comic"')
    page.close()
