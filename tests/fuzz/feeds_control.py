"""Feeds of what programs say to each other."""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path

from tests.fuzz.target import Feed


def request(folder: Path) -> Feed:
    """What a program that calls says to the one that runs."""
    from live.control.control_socket import ControlServer
    from live.control.control_transport import UnixTransport
    from live.control.controls import Controls

    server = ControlServer(Controls(("none", "glaze"), look="none"), transport=UnixTransport(folder / "run"))

    def feed(data: bytes) -> None:
        caller, called = socket.socketpair()
        with caller:
            caller.sendall(data)
            caller.shutdown(socket.SHUT_WR)
            server._slots.acquire()
            server._serve(called)
            answer = b"".join(iter(lambda: caller.recv(65536), b""))
        assert not answer or isinstance(json.loads(answer)["ok"], bool)

    return feed


def answer(folder: Path) -> Feed:
    """What the one that runs says to `veneer ctl`."""
    from live.control.control_socket import send_command
    from live.control.control_transport import Transport

    class Played(Transport):
        data = b""

        def pids(self) -> list[int]:
            return [1]

        def connect(self, pid: int, timeout_s: float) -> socket.socket:
            caller, called = socket.socketpair()
            caller.settimeout(timeout_s)
            called.sendall(self.data)
            called.shutdown(socket.SHUT_WR)
            self.called = called
            return caller

    transport = Played(folder)

    def feed(data: bytes) -> None:
        transport.data = data
        try:
            said = send_command(["status"], transport=transport)
        finally:
            transport.called.close()
        said.encode()  # it is printed

    return feed


def port_file(folder: Path) -> Feed:
    from live.control.control_transport import LoopbackTransport

    transport = LoopbackTransport(folder)

    def feed(data: bytes) -> None:
        (folder / "veneer-1.port").write_bytes(data)
        with contextlib.suppress(OSError):  # which is what a program that is gone raises
            transport.credentials(1)

    return feed
