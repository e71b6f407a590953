"""A Ray cluster that asks for a token: `veneer apply --cluster`, and the same as a job of Ray."""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import pytest
from support.apply_parts import environment, files, one_line
from support.cli_parts import HANG_S, WITH_TESTS, started, until, veneer

from live.picture_files.picture_writer import write_picture
from live.pipeline.frame import ImageU8

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nodes of Ray are started on Linux")

RAY = (sys.executable, "-m", "ray.scripts.scripts")
GIVE_UP_S = "3"  # instead of half a minute


def free_ports(count: int) -> list[str]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [str(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A node of one processor that asks for a token; the environment of a process that knows the token."""
    folder = tmp_path_factory.mktemp("ray")
    port, dashboard, http, grpc, client = free_ports(5)
    env = environment(
        VENEER_HOME=str(folder / "home"),
        RAY_USAGE_STATS_ENABLED="0",
        RAY_enable_metrics_collection="0",
        RAY_AUTH_MODE="token",
        RAY_AUTH_TOKEN=secrets.token_hex(32),
    )
    ports = ["--port", port, "--dashboard-port", dashboard, "--dashboard-agent-listen-port", http]
    ports += ["--dashboard-agent-grpc-port", grpc, "--ray-client-server-port", client]
    ports += ["--no-monitor", "--include-log-monitor", "False"]
    head = (*RAY, "start", "--head", "--block", "--num-cpus", "1", "--min-worker-port", "0", "--max-worker-port", "0")
    with contextlib.ExitStack() as stack:
        for number in range(3):  # on a busy machine a node may be too late for Ray, which gives it 30 s
            log = stack.enter_context((folder / f"{number}.log").open("w+"))
            process = Popen((*WITH_TESTS, *head, *ports), env=env, stdout=log, stderr=log, start_new_session=True)
            stack.callback(end, process)
            state = functools.partial(state_of, process, Path(log.name))
            if until(state, "the node has started or given up") == "started":
                break
        yield env | {"RAY_ADDRESS": f"127.0.0.1:{port}", "RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{dashboard}"}


def state_of(process: Popen[bytes], log: Path) -> str:
    if "Ray runtime started" in log.read_text():
        return "started"
    return "" if process.poll() is None else "ended"


def end(process: Popen[bytes]) -> None:
    """End a node and its processes."""
    process.terminate()
    process.wait(HANG_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def folder(tmp_path: Path, portrait_bgr: ImageU8) -> Path:
    (tmp_path / "in").mkdir()
    write_picture(tmp_path / "in" / "a.png", portrait_bgr)
    return tmp_path


def arguments(folder: Path, address: str) -> tuple[str, ...]:
    return "apply", str(folder / "in"), str(folder / "out"), "--look", "none", "--cluster", address


@pytest.fixture(scope="module")
def without_token(
    secured: dict[str, str], tmp_path_factory: pytest.TempPathFactory, portrait_bgr: ImageU8
) -> Iterator[list[Popen[str]]]:
    """Runs with no token and with another one, which give up after many seconds."""
    folder = tmp_path_factory.mktemp("refused")
    (folder / "in").mkdir()
    write_picture(folder / "in" / "a.png", portrait_bgr)
    hasty = secured | {"RAY_py_gcs_connect_timeout_s": GIVE_UP_S}
    wrong = ({"RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_TOKEN": secrets.token_hex(32)})
    with contextlib.ExitStack() as stack:
        given = arguments(folder, secured["RAY_ADDRESS"])
        yield [stack.enter_context(started(*given, env=hasty | variables)) for variables in wrong]


@pytest.mark.usefixtures("without_token")
def test_cluster_with_a_token_takes_files(secured: dict[str, str], folder: Path) -> None:
    done = veneer(*arguments(folder, secured["RAY_ADDRESS"]), env=secured)
    assert done.returncode == 0 and "1 of 1 files done" in done.stderr, done.stderr
    assert "without a token" not in done.stderr


def test_job_of_ray_does_the_same(secured: dict[str, str], folder: Path) -> None:
    job = (sys.executable, "-m", "live", *arguments(folder, "auto"))
    submitted = subprocess.run(
        (*RAY, "job", "submit", "--", *job), env=secured, capture_output=True, text=True, timeout=HANG_S
    )
    assert submitted.returncode == 0 and "1 of 1 files done" in submitted.stdout, submitted.stdout + submitted.stderr
    assert files(folder / "out") == ["a.png"]
    assert b'"state": "done"' in (folder / "out.veneer.jsonl").read_bytes()


def test_cluster_with_a_token_wants_it(without_token: list[Popen[str]]) -> None:
    for run in without_token:
        out, err = run.communicate(timeout=HANG_S)
        line = one_line(subprocess.CompletedProcess(run.args, run.returncode, out, err))
        assert "no connection" in line and "one with a token needs it here too" in line
