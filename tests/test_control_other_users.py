"""Real other users before the control socket: root's tests can be two users at once."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.ctl_programs import serving

from live.control.control_transport import LoopbackTransport, Transport, UnixTransport

NOBODY = 65534
PYTHON = Path("/usr/bin/python3")  # one that the other user may run, wherever the tests' own lies
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="file modes mean nothing on Windows"),
    pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can be two users at once"),
    pytest.mark.skipif(not PYTHON.exists(), reason=f"no {PYTHON}, which another user may run"),
]
TRY = """
import os, socket, sys
def tried(do):
    try:
        return do()
    except PermissionError:
        return "refused"
path = sys.argv[1]
def call():
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(10)
    connection.connect(path)
    return "connected"
print(tried(lambda: str(os.listdir(os.path.dirname(path)))), tried(lambda: open(path).read()), tried(call))
"""


@pytest.fixture
def open_top() -> Iterator[Path]:
    """A folder that everybody may enter, as /tmp is; the tests' own is closed already."""
    with tempfile.TemporaryDirectory() as top:
        Path(top).chmod(0o755)
        yield Path(top)


@pytest.mark.parametrize("kind", [UnixTransport, LoopbackTransport])
def test_another_user_can_neither_see_nor_read_nor_call(open_top: Path, kind: type[Transport]) -> None:
    transport = kind(open_top / "run")
    with serving(transport) as (controls, _):
        (file,) = transport.folder.iterdir()
        done = subprocess.run(
            [str(PYTHON), "-c", TRY, str(file)], user=NOBODY, group=NOBODY, capture_output=True, text=True, timeout=30
        )
        assert done.stdout.split() == ["refused", "refused", "refused"], done.stderr
        assert controls.read().look == "none"


@pytest.mark.parametrize("kind", [UnixTransport, LoopbackTransport])
def test_a_folder_that_somebody_opened_is_closed_again(open_top: Path, kind: type[Transport]) -> None:
    transport = kind(open_top / "run")
    transport.folder.mkdir(mode=0o777)
    transport.folder.chmod(0o777)
    with serving(transport):
        assert transport.folder.stat().st_mode & 0o077 == 0


def test_the_loopback_port_without_the_token_does_nothing_for_another_user(open_top: Path) -> None:
    transport = LoopbackTransport(open_top / "run")
    talk = (
        "import socket, sys\n"
        "connection = socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=10)\n"
        'connection.sendall(b\'{"words": ["quit"]}\' + bytes([10]))\n'
        "print(connection.recv(4096).decode())\n"
    )
    with serving(transport) as (controls, server):
        listener = server._listener
        assert isinstance(listener, socket.socket)
        port = str(listener.getsockname()[1])
        command = [str(PYTHON), "-c", talk, port]
        done = subprocess.run(command, user=NOBODY, group=NOBODY, capture_output=True, text=True, timeout=30)
        assert "the token is missing or wrong" in done.stdout, done.stderr
        assert not controls.read().quit
