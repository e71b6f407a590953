"""Commands from another process, with real sockets and processes."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.ctl_programs import LOOKS, ROOT, program, serving
from support.pipeline_parts import ends_soon

from engines.errors import OptionsError
from engines.paths import runtime_dir
from live.control.control_protocol import status_lines
from live.control.control_socket import MAX_CONNECTIONS, ControlServer, send_command
from live.control.control_transport import LoopbackTransport, Transport, UnixTransport
from live.control.controls import SWITCHES, Controls


@pytest.fixture(params=[UnixTransport, LoopbackTransport])
def transport(request: pytest.FixtureRequest, short_path: Path) -> Transport:
    transport: Transport = request.param(short_path / "run")
    return transport


def test_command_is_executed_and_answered(transport: Transport) -> None:
    with serving(transport) as (controls, _):
        assert send_command(["look", "glaze"], transport=transport) == "look glaze"
        assert send_command(["strength", "-"], transport=transport) == "strength 0.9"
        assert (controls.read().look, controls.read().strength) == ("glaze", 0.9)


def test_refused_command_names_the_reason(transport: Transport) -> None:
    with serving(transport) as (controls, _):
        with pytest.raises(OptionsError) as caught:
            send_command(["look", "glase"], transport=transport)
        assert str(caught.value) == "look 'glase': there is no such look - did you mean 'glaze'?"
        assert controls.read().look == "none"


def test_status_lists_settings_and_measurements(transport: Transport) -> None:
    def status() -> dict[str, object]:
        return {
            "fps": 61.23456,
            "latency_ms": {"p50": 4.0, "p95": 6.125},
            "engines": [{"style": "lips", "runtime": "openvino"}, "shade: no network"],
            "size_wh": (1280, 720),
            "camera": None,
        }

    with serving(transport, status=status):
        send_command(["panic"], transport=transport)
        assert send_command(["status"], transport=transport).splitlines() == [
            "look: none",
            "strength: 1",
            "mirror: off",
            "freeze: off",
            "panic: on",
            "record: off",
            "help: off",
            "fps: 61.23",
            "latency ms: p50 4, p95 6.125",
            "engines:",
            "  style lips, runtime openvino",
            "  shade: no network",
            "size wh: 1280, 720",
            "camera: none",
        ]


def test_server_survives_an_error_in_status(transport: Transport) -> None:
    def status() -> dict[str, object]:
        raise RuntimeError("no timings yet")

    with serving(transport, status=status):
        with pytest.raises(OptionsError, match="status failed: RuntimeError: no timings yet"):
            send_command(["status"], transport=transport)
        assert send_command(["look", "2"], transport=transport) == "look glaze"


def test_empty_status_has_no_lines() -> None:
    assert status_lines({}) == []
    assert status_lines({"engines": []}) == ["engines: none"]


def test_folder_that_cannot_be_created_is_named(short_path: Path) -> None:
    (short_path / "file").write_text("in the way")
    server = ControlServer(Controls(LOOKS, look="none"), transport=UnixTransport(short_path / "file" / "run"))
    with pytest.raises(OptionsError, match=r"control folder .*/file/run: .* - set VENEER_HOME"):
        server.start()
    server.close()


def test_path_too_long_for_a_socket_works_and_is_private(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 90) / "run"
    with serving(UnixTransport(deep)):
        other_side = UnixTransport(deep)
        assert send_command(["look", "2"], transport=other_side) == "look glaze"
        assert stat.S_IMODE(other_side.folder.stat().st_mode) == 0o700
    other_side.folder.rmdir()


def test_close_is_quick_while_clients_are_connected(transport: Transport) -> None:
    before = threading.active_count()
    with serving(transport) as (_, server), contextlib.ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS + 2):
            stack.enter_context(transport.connect(os.getpid(), 10))
        closing = threading.Thread(target=server.close)
        closing.start()
        assert ends_soon(closing)
        server.close()
    assert list(transport.folder.iterdir()) == []
    end_s = time.monotonic() + 60
    while threading.active_count() > before and time.monotonic() < end_s:
        time.sleep(0.01)
    assert threading.active_count() <= before
    with pytest.raises(OptionsError, match="no running veneer - start one"):
        send_command(["status"], transport=transport)


def test_server_can_be_closed_before_start(transport: Transport) -> None:
    ControlServer(Controls(LOOKS, look="none"), transport=transport).close()


def test_process_listens_only_once(transport: Transport) -> None:
    with serving(transport):
        with pytest.raises(OptionsError, match="already"):
            ControlServer(Controls(LOOKS, look="none"), transport=transport).start()
        assert send_command(["look", "glaze"], transport=transport) == "look glaze"


def test_files_of_ended_programs_are_removed_at_start(transport: Transport) -> None:
    code = f"""
import os, pathlib
from live.control.controls import SWITCHES, Controls
from live.control.control_socket import ControlServer
from live.control.control_transport import {type(transport).__name__} as Kind
ControlServer(Controls(("none",), look="none"), transport=Kind(pathlib.Path({str(transport.folder)!r}))).start()
os._exit(9)
"""
    dead = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    assert dead.wait(60) == 9
    assert transport.pids() == [dead.pid]
    with pytest.raises(OptionsError, match="no running veneer"):
        send_command(["status"], transport=transport)
    (transport.folder / "veneer-notes.sock").write_text("another file")
    with serving(transport):
        assert transport.pids() == [os.getpid()]
        assert (transport.folder / "veneer-notes.sock").exists()


def test_two_programs_are_addressed_by_pid() -> None:
    with pytest.raises(OptionsError, match="no running veneer - start one with `veneer run`"):
        send_command(["status"])
    with program() as first:
        assert send_command(["look", "glaze"]) == "look glaze"
        with program() as second:
            with pytest.raises(OptionsError) as caught:
                send_command(["look", "bright"])
            assert str(first.pid) in caught.value.got
            assert str(second.pid) in caught.value.got
            assert "--pid" in caught.value.do
            assert send_command(["look", "bright"], pid=second.pid) == "look bright"
            with pytest.raises(OptionsError, match="no running veneer with process id 1 "):
                send_command(["status"], pid=1)
            assert "look: glaze" in send_command(["status"], pid=first.pid)
            assert "look: bright" in send_command(["status"], pid=second.pid)
            second.kill()
            second.wait(30)
        assert send_command(["status"]).splitlines()[0] == "look: glaze"  # with one program left, --pid is not needed


def test_quit_is_answered_before_the_program_ends() -> None:
    with program() as process:
        assert send_command(["quit"]) == "quit"
        assert process.wait(30) == 0
        assert process.stdout is not None
        assert process.stdout.read() == "ended\n"
        assert list(runtime_dir().iterdir()) == []


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system cannot pause a process")
def test_program_that_hangs_gives_a_timeout() -> None:
    with program() as process:
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(OptionsError, match=rf"process id {process.pid} did not answer within 0\.5 s"):
            send_command(["status"], timeout_s=0.5)
        process.send_signal(signal.SIGCONT)
        assert "fps: 60" in send_command(["status"], timeout_s=10)


def run_ctl(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the sub-command in a process that reports heavy modules."""
    code = """
import atexit, sys, typer
from live.commands.ctl_command import ctl
atexit.register(lambda: sys.stderr.write(" ".join({"numpy", "cv2", "torch", "pynput"} & set(sys.modules))))
typer.run(ctl)
"""
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_ctl_prints_the_answer_and_loads_nothing_heavy() -> None:
    with program() as process:
        done = run_ctl("look", "glaze")
        assert (done.stdout, done.stderr, done.returncode) == ("look glaze\n", "", 0)
        assert run_ctl("strength", "-").stdout == "strength 0.9\n"
        done = run_ctl("status", "--pid", str(process.pid))
        switches = "".join(f"{verb}: off\n" for verb in SWITCHES if verb != "bare")  # of the control page only
        assert done.stdout == "look: glaze\nstrength: 0.9\n" + switches + "fps: 60\n"
