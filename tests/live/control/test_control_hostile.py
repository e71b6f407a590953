"""Malicious clients, and folders prepared by other users."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.ctl_programs import LOOKS, raw, request, serving

from engines.errors import OptionsError
from live.control.control_socket import MAX_CONNECTIONS, ControlServer, send_command
from live.control.control_transport import LoopbackTransport, Transport, UnixTransport
from live.control.controls import Controls


@pytest.fixture(params=[UnixTransport, LoopbackTransport])
def transport(request: pytest.FixtureRequest, short_path: Path) -> Transport:
    transport: Transport = request.param(short_path / "run")
    return transport


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes")
def test_socket_and_folder_are_private(transport: Transport) -> None:
    transport.folder.mkdir(mode=0o755)
    with serving(transport):
        assert stat.S_IMODE(transport.folder.stat().st_mode) == 0o700
        (file,) = transport.folder.iterdir()
        assert file.name == f"veneer-{os.getpid()}{transport.suffix}"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="this system does not report the client's user")
@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root to run as another user")
def test_another_user_is_refused_with_open_file_modes() -> None:
    talk = """
import socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.settimeout(10)
connection.connect(sys.argv[1])
connection.sendall(b'{"words": ["look", "glaze"]}' + bytes([10]))
print(connection.recv(4096).decode())
"""
    with tempfile.TemporaryDirectory() as top:
        transport = UnixTransport(Path(top) / "run")
        with serving(transport) as (controls, _):
            (file,) = transport.folder.iterdir()
            for path, mode in ((Path(top), 0o755), (transport.folder, 0o755), (file, 0o666)):
                path.chmod(mode)
            python = Path("/usr/bin/python3")  # executable by the other user
            if not python.exists():
                pytest.skip(f"no {python}")
            command = [str(python), "-c", talk, str(file)]
            done = subprocess.run(command, user=65534, group=65534, capture_output=True, text=True, timeout=30)
            assert json.loads(done.stdout)["ok"] is False, done.stderr
            assert "another user" in done.stdout
            assert controls.read().look == "none"


def test_folder_of_another_user_is_not_used(short_path: Path) -> None:
    (short_path / "foreign").mkdir()
    (short_path / "run").symlink_to(short_path / "foreign")
    for transport in (UnixTransport(short_path / "run"), LoopbackTransport(short_path / "run")):
        with pytest.raises(OptionsError, match="not a folder of this user"):
            ControlServer(Controls(LOOKS, look="none"), transport=transport).start()
        with pytest.raises(OptionsError, match="not a folder of this user"):
            send_command(["status"], transport=transport)
    assert not list((short_path / "foreign").iterdir())


@pytest.mark.parametrize(
    "sent",
    [
        b"\n",
        b"hello\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"\x00\xff\xfe" * 100 + b"\n",
        b"[" * 4000 + b"\n",
        b'{"words": "look glaze"}\n',
        b'{"words": ["look", 2]}\n',
        b'{"words": null}\n',
        b'{"look": "glaze"}\n',
        b"7\n",
        b'{"words": ["look", "glaze"]',
    ],
)
def test_malformed_request_gets_an_error(transport: Transport, sent: bytes) -> None:
    with serving(transport) as (controls, _):
        answer = raw(transport, sent, end=True)
        assert answer == b"" or json.loads(answer)["ok"] is False
        assert answer or sent == b"\n"
        assert controls.read().look == "none"
        assert send_command(["look", "glaze"], transport=transport) == "look glaze"


def test_too_long_request_gets_an_error(transport: Transport) -> None:
    with serving(transport) as (controls, _):
        for sent in (b"x" * 4097 + b"\n", b"x" * 200_000):
            assert "4096" in json.loads(raw(transport, sent))["error"]
        padding = 4096 - len(request(transport, "look", "glaze", "")) + 1
        longest = request(transport, "look", "glaze", " " * padding)
        assert len(longest) == 4097  # including the line feed
        assert json.loads(raw(transport, longest)) == {"ok": True, "says": "look glaze"}
        assert controls.read().look == "glaze"


def test_slow_request_is_read_and_an_endless_one_cut_off(transport: Transport) -> None:
    with serving(transport) as (controls, _):
        with transport.connect(os.getpid(), 10) as connection:
            for byte in request(transport, "look", "glaze"):
                connection.sendall(bytes([byte]))
            assert json.loads(connection.recv(4096))["ok"] is True
        assert controls.read().look == "glaze"
        with transport.connect(os.getpid(), 0.2) as connection:
            answer, began_s = b"", time.monotonic()
            while not answer and time.monotonic() - began_s < 30:
                with contextlib.suppress(TimeoutError):
                    connection.sendall(b"x")  # without a line feed
                    answer = connection.recv(4096)
            assert "within 2 s" in json.loads(answer)["error"]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=300), st.text(max_size=100).map(str.encode)), min_size=1, max_size=3))
def test_server_survives_any_bytes(pieces: list[bytes]) -> None:
    for transport in _running_servers():
        answer = raw(transport, b"\n".join(pieces), end=True)
        assert answer == b"" or json.loads(answer)["ok"] is False
        assert json.loads(raw(transport, request(transport, "look", "2"))) == {"ok": True, "says": "look glaze"}


_SERVERS: list[Transport] = []


def _running_servers() -> list[Transport]:
    return _SERVERS


@pytest.fixture(autouse=True, scope="module")
def running_servers() -> Iterator[None]:
    """One server of each kind for all the examples of a property."""
    with tempfile.TemporaryDirectory() as top, contextlib.ExitStack() as stack:
        for kind in (UnixTransport, LoopbackTransport):
            transport = kind(Path(top) / kind.__name__)
            stack.enter_context(serving(transport))
            _SERVERS.append(transport)
        yield
        _SERVERS.clear()


def test_idle_clients_do_not_block_others(transport: Transport) -> None:
    with serving(transport), contextlib.ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS - 1):
            stack.enter_context(transport.connect(os.getpid(), 10))
        assert send_command(["look", "glaze"], transport=transport) == "look glaze"
        deadline_s = time.monotonic() + 30
        busy = b""
        while b"connected already" not in busy and time.monotonic() < deadline_s:
            stack.enter_context(transport.connect(os.getpid(), 10))
            busy = raw(transport, request(transport, "look", "bright"))
        assert json.loads(busy)["ok"] is False
        stack.close()  # disconnect the idle clients
        while time.monotonic() < deadline_s:
            with contextlib.suppress(OptionsError):
                assert send_command(["look", "bright"], transport=transport) == "look bright"
                return
    pytest.fail("no client is served after the limit was reached")


def test_loopback_port_requires_the_token(tmp_path: Path) -> None:
    transport = LoopbackTransport(tmp_path / "run")
    with serving(transport) as (controls, _):
        for token in ({}, {"token": "0" * 64}, {"token": None}, {"token": "ü"}, {"token": ["a"]}):
            answer = raw(transport, json.dumps({"words": ["look", "glaze"], **token}).encode() + b"\n")
            assert "token" in json.loads(answer)["error"]
        assert controls.read().look == "none"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"port": "x", "token": "y"}', '{"port": "99999999", "token": "y"}'])
def test_damaged_token_file_counts_as_no_program(tmp_path: Path, text: str) -> None:
    transport = LoopbackTransport(tmp_path)
    (tmp_path / "veneer-1.port").write_text(text)
    with pytest.raises(OptionsError, match="no running veneer"):
        send_command(["status"], transport=transport)
