"""The real program with its control page, and clients of it: HTTP, WebSockets, a browser."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.root import ROOT
from websockets.sync.client import ClientConnection, connect

SIZE_WH = (640, 360)
CHROMIUM = "/usr/bin/chromium"
START_S = 60
PHONE_HOST = "127.0.0.2"  # an address of this machine beside that of the page itself


@dataclass
class PanelProgram:
    """A running `veneer run --panel`.

    Attributes:
        said: Its messages so far.
        output: The film that it writes.
    """

    process: subprocess.Popen[str]
    home: Path
    output: Path
    port: int = 0
    said: list[str] = field(default_factory=list)

    @property
    def token(self) -> str:
        return (self.home / "config" / "panel-token").read_text().strip()

    @property
    def link(self) -> str:
        return f"http://127.0.0.1:{self.port}/#token={self.token}"

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ctl(self, *words: str) -> str:
        """Run `veneer ctl`."""
        command = [sys.executable, "-m", "live", "ctl", *words, "--pid", str(self.process.pid)]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=60)
        return (done.stdout or done.stderr).strip()

    @property
    def environment(self) -> dict[str, str]:
        return environment(self.home)

    def request(
        self, method: str, path: str, body: str | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request; `host`, `origin` and `authorization` replace those of the page, "" leaves them out."""
        given = {"host": f"127.0.0.1:{self.port}", "authorization": f"Bearer {self.token}"} | headers
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in given.items():
                if value:
                    connection.putheader(name, value)
            if body is not None:
                connection.putheader("content-length", str(len(body.encode())))
            connection.endheaders(body.encode() if body is not None else None)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()

    def command(self, *words: str) -> dict[str, Any]:
        """Send a command by HTTP, as a script does."""
        _, _, body = self.request("POST", "/api/command", json.dumps({"words": words}))
        found: dict[str, Any] = json.loads(body)
        return found

    def socket(self, path: str, *, origin: str | None = "", token: str = "", **more: Any) -> ClientConnection:
        """Open a WebSocket as the page does."""
        protocols = ["veneer.v1", f"veneer.token.{token or self.token}"]
        address = f"ws://127.0.0.1:{self.port}{path}"
        origin = self.origin if origin == "" else origin
        return connect(address, origin=origin, subprotocols=protocols, proxy=None, **more)  # type: ignore[arg-type]

    def message(self, kind: str) -> dict[str, Any]:
        """Return the present message of a kind."""
        time.sleep(0.2)  # for pages that are open it is read ten times a second
        with self.socket("/ws/state") as socket:
            while True:
                message: dict[str, Any] = json.loads(socket.recv(timeout=20))
                if message["kind"] == kind:
                    return message


def environment(home: Path) -> dict[str, str]:
    without = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return without | {"VENEER_HOME": str(home), "OMP_NUM_THREADS": "1"}


@contextlib.contextmanager
def panel_program(home: Path, *options: str, look: str = "toon", sink: str = "") -> Iterator[PanelProgram]:
    """Run the program on the demo until the block ends."""
    output = home / "out.mp4"
    size = "x".join(map(str, SIZE_WH))
    words = ["run", "--source", "demo", "--size", size, "--fps", "15", "--look", look]
    words += ["--sink", sink or f"file:{output}", "--panel", "--panel-port", "0", "--no-build", *options]
    with program_with_page(home, *words) as program:
        yield program


@contextlib.contextmanager
def program_with_page(home: Path, *words: str) -> Iterator[PanelProgram]:
    """Run `veneer WORDS`, which serves the page, until the block ends."""
    output = home / "out.mp4"
    home.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(
        [sys.executable, "-m", "live", *words],
        cwd=ROOT,
        env=environment(home),
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    ) as process:
        program = PanelProgram(process, home, output)
        started = threading.Event()

        def listen() -> None:
            assert process.stderr is not None
            for line in process.stderr:
                program.said.append(line.strip())
                if found := re.search(r"control page: https?://[^:]+:(\d+)/", line):
                    program.port = int(found[1])
                    started.set()
            started.set()

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        try:
            assert started.wait(START_S) and program.port, program.said
            yield program
        finally:
            process.terminate()
            process.wait(20)
            listener.join(5)


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is not installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def mean_colour(png: bytes) -> tuple[float, float, float]:
    """Return the mean of blue, green and red of a screenshot."""
    import cv2

    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    blue, green, red = picture.reshape(-1, 3).mean(0).tolist()
    return blue, green, red
