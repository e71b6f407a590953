"""Headless Chromium in the guest: a page opens the virtual camera by name and reports what it shows."""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from vm.guest import devices
from vm.guest.shell import EXCHANGE, LONG_S, await_true
from vm.guest.streaming import plain, show_bars

_PAGE = Path(__file__).with_name("page.html")


class _PageServer(ThreadingHTTPServer):
    """Serves the page, and collects its messages."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.messages: list[dict[str, Any]] = []


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = _PAGE.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        assert isinstance(self.server, _PageServer)
        self.server.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def browser_shows_camera(picture: str) -> dict[str, Any]:
    """List the cameras and show the virtual one; a second camera has no exclusive_caps."""
    plain()
    show_bars()
    devices.feed_with(picture, restart=False)  # this camera works, but Chrome does not list it
    server = _PageServer()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as profile:
        flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-extensions",
            "--mute-audio",
        ]
        flags += ["--disable-background-networking", "--use-fake-ui-for-media-stream", f"--user-data-dir={profile}"]
        started_s = time.monotonic()
        address = f"http://127.0.0.1:{server.server_port}/"
        log = (EXCHANGE / "chromium.log").open("wb")
        chromium = subprocess.Popen(["chromium", *flags, "--remote-debugging-port=0", address], stdout=log, stderr=log)
        try:
            ended = lambda: _done(server.messages) or chromium.poll() is not None  # noqa: E731
            await_true(ended, 3 * LONG_S, "the page shows the camera")
        finally:
            chromium.terminate()
            chromium.wait(LONG_S)
            server.shutdown()
    return {"messages": server.messages, "took_s": time.monotonic() - started_s, "label": devices.LABEL}


def _done(messages: list[dict[str, Any]]) -> bool:
    return any("shown" in message or "failed" in message for message in messages)
