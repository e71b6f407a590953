"""Carries TCP connections from the host to a program in the guest, through the shared folder: the guest has no network.

The host listens on a loopback port and the guest connects to the same one, so the program sees what it sees from a
browser on its own machine: the Host and Origin of that port, from a loopback address. Each connection has a file for
each direction, which only grows; an empty file beside it marks the end.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path

_UP, _DOWN = "up", "down"  # from the host, from the guest
_POLL_S = 0.02


class _End:
    """One end of all connections.

    Args:
        port: Loopback port.
        folder: The shared folder.
        sends, receives: Directions of this end.
    """

    def __init__(self, port: int, folder: Path, sends: str, receives: str) -> None:
        self.port, self.folder, self._sends, self._receives = port, folder, sends, receives
        self.stopped = threading.Event()

    def carry(self, number: int, connection: socket.socket) -> None:
        """Start to carry a connection in both directions."""
        for work in (self._send, self._receive):
            threading.Thread(target=work, args=(number, connection), daemon=True).start()

    def close(self) -> None:
        """End all connections."""
        self.stopped.set()

    def _send(self, number: int, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), self._file(number, self._sends).open("ab", buffering=0) as file:
            while not self.stopped.is_set() and (data := connection.recv(65536)):
                file.write(data)
        self._file(number, self._sends, "end").touch()

    def _receive(self, number: int, connection: socket.socket) -> None:
        path, end, done = self._file(number, self._receives), self._file(number, self._receives, "end"), 0
        with contextlib.suppress(OSError):
            while not self.stopped.is_set():
                ended = end.exists()  # before the last bytes are read
                if path.exists() and path.stat().st_size > done:
                    with path.open("rb") as file:
                        file.seek(done)
                        data = file.read()
                    connection.sendall(data)
                    done += len(data)
                elif ended:
                    break
                else:
                    time.sleep(_POLL_S)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()

    def _file(self, number: int, direction: str, end: str = "") -> Path:
        return self.folder / f"relay-{number}.{direction}{end}"


class HostEnd(_End):
    """Accepts connections on the host."""

    def __init__(self, port: int, folder: Path) -> None:
        super().__init__(port, folder, _UP, _DOWN)
        self._listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        number = 0
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._file(number, _UP).touch()
                self.carry(number, connection)
                number += 1

    def close(self) -> None:
        super().close()
        self._listener.close()


class GuestEnd(_End):
    """Makes the connections in the guest that the host has accepted."""

    def __init__(self, port: int, folder: Path) -> None:
        super().__init__(port, folder, _DOWN, _UP)
        threading.Thread(target=self._connect, daemon=True).start()

    def _connect(self) -> None:
        number = 0
        while not self.stopped.is_set():
            if self._file(number, _UP).exists():
                self.carry(number, socket.create_connection(("127.0.0.1", self.port), timeout=None))
                number += 1
            else:
                time.sleep(_POLL_S)
