"""Reading and writing single lines on a socket, and formatting of a status as text."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Mapping

POLL_INTERVAL_S = 0.1  # how often a waiting thread checks whether it should end


def read_line(
    connection: socket.socket, limit_bytes: int, timeout_s: float, stopped: Callable[[], bool] = lambda: False
) -> bytes:
    """Read up to the end of the line or of the connection; return b"" once `stopped` returns True.

    Raises:
        TimeoutError: The line was not complete within `timeout_s`; single bytes do not extend the time.
        OverflowError: The line is longer than the limit.
        OSError: The connection broke.
    """
    deadline_s, line = time.monotonic() + timeout_s, b""
    connection.settimeout(POLL_INTERVAL_S)
    while not stopped():
        if time.monotonic() > deadline_s:
            raise TimeoutError("timeout before the end of the line")
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


def send_and_close(connection: socket.socket, answer: dict[str, object] | None, *, drain_s: float) -> None:
    """Send the answer, if any, and close the connection.

    Bytes that the client still sends are read for `drain_s` seconds: closing a TCP connection with unread bytes would
    discard the answer.
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


def readable(text: object, max_characters: int = 20_000) -> str:
    """Make text of another program printable: its lines without control characters, cut to a maximum length."""
    lines = str(text)[:max_characters].split("\n")
    return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)


def status_lines(status: Mapping[str, object]) -> list[str]:
    """Format a nested status as lines: "fps: 61.2", "latency ms: p50 4.1, p95 6". Lists take one line per element."""
    lines: list[str] = []
    for key, value in status.items():
        title = key.replace("_", " ")
        if isinstance(value, (list, tuple)) and any(isinstance(item, (Mapping, str)) for item in value):
            lines += [f"{title}:", *(f"  {_value_text(item)}" for item in value)]
        else:
            lines.append(f"{title}: {_value_text(value)}")
    return lines


def _value_text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{str(key).replace('_', ' ')} {_value_text(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_value_text(item) for item in value) or "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "none" if value is None else " ".join(str(value).split())
