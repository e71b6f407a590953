"""Feeds of the control protocol."""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path

from tests.fuzz.target import Feed


def request(folder: Path) -> Feed:
    """A request to the running program."""
    from live.control.control_socket import ControlServer
    from live.control.control_transport import UnixTransport
    from live.control.controls import Controls

    server = ControlServer(Controls(("none", "glaze"), look="none"), transport=UnixTransport(folder / "run"))

    def feed(data: bytes) -> None:
        client, served = socket.socketpair()
        with client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            server._slots.acquire()
            server._serve(served)
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert not answer or isinstance(json.loads(answer)["ok"], bool)

    return feed


def answer(folder: Path) -> Feed:
    """An answer to `veneer ctl`."""
    from live.control.control_socket import send_command
    from live.control.control_transport import Transport

    class Replayed(Transport):
        data = b""

        def pids(self) -> list[int]:
            return [1]

        def connect(self, pid: int, timeout_s: float) -> socket.socket:
            client, served = socket.socketpair()
            client.settimeout(timeout_s)
            served.sendall(self.data)
            served.shutdown(socket.SHUT_WR)
            self.served = served
            return client

    transport = Replayed(folder)

    def feed(data: bytes) -> None:
        transport.data = data
        try:
            answer_text = send_command(["status"], transport=transport)
        finally:
            transport.served.close()
        answer_text.encode()  # as for printing

    return feed


def port_file(folder: Path) -> Feed:
    from live.control.control_transport import LoopbackTransport

    transport = LoopbackTransport(folder)

    def feed(data: bytes) -> None:
        (folder / "veneer-1.port").write_bytes(data)
        with contextlib.suppress(OSError):  # raised for a program that has ended
            transport.credentials(1)

    return feed
