"""Access of another user to the control socket; needs root to run as that user."""

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

OTHER_USER_ID = 65534
PYTHON = Path("/usr/bin/python3")  # executable by the other user
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes"),
    pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root to run as another user"),
    pytest.mark.skipif(not PYTHON.exists(), reason=f"no {PYTHON}"),
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
    """A folder that every user may enter, unlike the tests' own."""
    with tempfile.TemporaryDirectory() as top:
        Path(top).chmod(0o755)
        yield Path(top)


@pytest.mark.parametrize("kind", [UnixTransport, LoopbackTransport])
def test_another_user_has_no_access(open_top: Path, kind: type[Transport]) -> None:
    transport = kind(open_top / "run")
    with serving(transport) as (controls, _):
        (file,) = transport.folder.iterdir()
        done = subprocess.run(
            [str(PYTHON), "-c", TRY, str(file)],
            user=OTHER_USER_ID,
            group=OTHER_USER_ID,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.stdout.split() == ["refused", "refused", "refused"], done.stderr
        assert controls.read().look == "none"


@pytest.mark.parametrize("kind", [UnixTransport, LoopbackTransport])
def test_open_folder_is_made_private(open_top: Path, kind: type[Transport]) -> None:
    transport = kind(open_top / "run")
    transport.folder.mkdir(mode=0o777)
    transport.folder.chmod(0o777)
    with serving(transport):
        assert transport.folder.stat().st_mode & 0o077 == 0


def test_another_user_without_token_is_refused(open_top: Path) -> None:
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
        done = subprocess.run(
            command, user=OTHER_USER_ID, group=OTHER_USER_ID, capture_output=True, text=True, timeout=30
        )
        assert "the token is missing or wrong" in done.stdout, done.stderr
        assert not controls.read().quit
