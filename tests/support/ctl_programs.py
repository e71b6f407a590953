"""Control servers in this process and in others, for the tests of `veneer ctl`."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from live.control.control_socket import ControlServer
from live.control.control_transport import Transport
from live.control.controls import Controls

ROOT = Path(__file__).resolve().parents[2]
LOOKS = ("none", "glaze", "bright")
PROGRAM = """
import sys, time
from live.control.controls import Controls
from live.control.control_socket import ControlServer
controls = Controls(("none", "glaze", "bright"), look="none")
with ControlServer(controls, status=lambda: {"fps": 60.0}):
    print("ready", flush=True)
    until = time.monotonic() + 60
    while not controls.read().quit and time.monotonic() < until:
        time.sleep(0.01)
print("ended", flush=True)
"""


@contextlib.contextmanager
def serving(transport: Transport, **options: object) -> Iterator[tuple[Controls, ControlServer]]:
    controls = Controls(LOOKS, look="none")
    server = ControlServer(controls, transport=transport, **options)  # type: ignore[arg-type]
    server.start()
    try:
        yield controls, server
    finally:
        server.close()


@contextlib.contextmanager
def program() -> Iterator[subprocess.Popen[str]]:
    """A process with a control server."""
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def raw(transport: Transport, sent: bytes, *, end: bool = False) -> bytes:
    """Send bytes to the server of this process and return its answer."""
    with transport.connect(os.getpid(), 10) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(sent)
            if end:
                connection.shutdown(socket.SHUT_WR)
        pieces = []
        with contextlib.suppress(ConnectionResetError):  # the server closed with unread bytes
            while piece := connection.recv(65536):
                pieces.append(piece)
    return b"".join(pieces)


def request(transport: Transport, *words: str) -> bytes:
    return json.dumps({"words": words, **transport.credentials(os.getpid())}).encode() + b"\n"
