"""A real OBS Studio under Xvfb, with its WebSocket server and two scenes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.cli_parts import WITH_TESTS
from support.screen import need, x_server

PASSWORD = "a word for OBS"
SCENES = ("Talk", "Break")
_GLOBAL = """[General]
FirstRun=true
LastVersion=486539266
EnableAutoUpdates=false
[Basic]
Profile=Test
ProfileDir=Test
SceneCollection=Test
SceneCollectionFile=Test
[BasicWindow]
SysTrayEnabled=false
"""
_PROFILE = "[General]\nName=Test\n[Video]\nBaseCX=64\nBaseCY=36\nOutputCX=64\nOutputCY=36\nFPSCommon=10\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def configure(folder: Path, port: int) -> None:
    """Write what OBS reads at its start: no first-run wizard, two empty scenes, and the server's password."""
    config = folder / "obs-studio"
    server = {"FirstLoad": False, "ServerEnabled": True, "ServerPort": port, "AlertsEnabled": False}
    server |= {"AuthRequired": True, "ServerPassword": PASSWORD}
    lines = [f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in server.items()]
    scenes = {
        "name": "Test",
        "current_scene": SCENES[0],
        "current_program_scene": SCENES[0],
        "scene_order": [{"name": name} for name in SCENES],
        "sources": [{"id": "scene", "name": name, "settings": {"items": []}} for name in SCENES],
    }
    for name, text in {
        "global.ini": _GLOBAL + "\n".join(["[OBSWebSocket]", *lines, ""]),
        "basic/profiles/Test/basic.ini": _PROFILE,
        "basic/scenes/Test.json": json.dumps(scenes),
    }.items():
        path = config / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@contextlib.contextmanager
def screen_for_obs() -> Iterator[str]:
    need("obs")
    with x_server("640x480x24") as display:
        yield display


@contextlib.contextmanager
def obs(folder: Path, port: int, display: str) -> Iterator[None]:
    """Run OBS until the block ends."""
    configure(folder, port)
    own = {name: value for name, value in os.environ.items() if not name.startswith("QT_")}  # OpenCV sets its Qt
    environment = own | {
        "XDG_CONFIG_HOME": str(folder),
        "HOME": str(folder),
        "DISPLAY": display,
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "QT_QPA_PLATFORM": "xcb",
    }
    command = [*WITH_TESTS, "obs", "--multi", "--disable-updater"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=environment, **quiet) as process:
        try:
            yield
        finally:
            process.kill()


def ask_obs(port: int, request: str, **data: Any) -> dict[str, Any]:
    """Send a request to OBS by a client of its own, and return the answer."""
    import simpleobsws

    async def ask() -> dict[str, Any]:
        client = simpleobsws.WebSocketClient(f"ws://127.0.0.1:{port}", PASSWORD)
        await client.connect()
        await client.wait_until_identified()
        answer = await client.call(simpleobsws.Request(request, data or None))
        await client.disconnect()
        assert answer.ok(), answer
        return answer.responseData or {}

    return asyncio.run(ask())


def scene_of(port: int) -> str:
    return str(ask_obs(port, "GetCurrentProgramScene")["currentProgramSceneName"])
