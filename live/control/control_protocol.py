"""One line of JSON each way over a socket, and the words for a status."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Mapping

POLL_S = 0.1  # how often a waiting thread looks whether it should end


def read_line(
    connection: socket.socket, limit_bytes: int, timeout_s: float, stopped: Callable[[], bool] = lambda: False
) -> bytes:
    """What comes up to the line's end, or to the end of the connection; empty once stopped.

    Raises:
        TimeoutError: not all of it came in time, however often a byte did.
        OverflowError: it is longer than the limit.
        OSError: the connection broke.
    """
    deadline_s, line = time.monotonic() + timeout_s, b""
    connection.settimeout(POLL_S)
    while not stopped():
        if time.monotonic() > deadline_s:
            raise TimeoutError("the line is late")
        try:
            piece = connection.recv(limit_bytes + 2 - len(line))
        except TimeoutError:
            continue
        line += piece
        whole, end, _rest = line.partition(b"\n")
        if len(whole) > limit_bytes:
            raise OverflowError("the line is too long")
        if end or not piece:
            return whole
    return b""


def hang_up(connection: socket.socket, answer: dict[str, object] | None, *, drain_s: float) -> None:
    """Send the answer, if any, and hang up.

    What the caller is still sending is read away first: hanging up on unread bytes makes a TCP connection throw
    away the answer, too.
    """
    with connection, contextlib.suppress(OSError):
        if answer is None:
            return
        connection.settimeout(1.0)
        connection.sendall(json.dumps(answer).encode() + b"\n")
        connection.shutdown(socket.SHUT_WR)
        deadline_s = time.monotonic() + drain_s
        connection.settimeout(drain_s)
        while time.monotonic() < deadline_s and connection.recv(65536):
            pass


def readable(text: object, most: int = 20_000) -> str:
    """What another program said, fit for a terminal: its lines, without control characters, not without end."""
    lines = str(text)[:most].split("\n")
    return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)


def status_lines(status: Mapping[str, object]) -> list[str]:
    """Any nested status as readable lines: "fps: 61.2", "latency ms: p50 4.1, p95 6"; what is listed, line by line."""
    lines: list[str] = []
    for key, value in status.items():
        title = key.replace("_", " ")
        if isinstance(value, (list, tuple)) and any(isinstance(item, (Mapping, str)) for item in value):
            lines += [f"{title}:", *(f"  {_in_words(item)}" for item in value)]
        else:
            lines.append(f"{title}: {_in_words(value)}")
    return lines


def _in_words(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{str(key).replace('_', ' ')} {_in_words(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_in_words(item) for item in value) or "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "none" if value is None else " ".join(str(value).split())
