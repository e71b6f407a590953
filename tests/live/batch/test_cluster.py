"""`veneer apply --cluster` on three Ray nodes of one processor on this machine."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.apply_parts import files, film, one_line, started, veneer
from support.cli_parts import HANG_S, until
from support.kit_parts import make_pairs, write_pairs
from support.root import ROOT
from support.sink_clips import read_pictures
from support.train_parts import QUICK

from live.batch import divided_films
from live.picture_files.picture_writer import write_picture
from live.pipeline.frame import ImageU8

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"),
    pytest.mark.skipif(sys.platform != "linux", reason="several Ray nodes on one machine need Linux"),
]


def add_node(cluster: Any) -> None:
    """Add a node; the first one is the head. On a busy machine one may be too late for Ray, which gives it 30 s."""
    for last in (False, False, True):
        try:
            cluster.add_node(num_cpus=1, include_dashboard=False, include_log_monitor=False, no_monitor=True)
            return
        except Exception:  # Ray raises this class
            if last:
                raise


@pytest.fixture(scope="module")
def cluster(s3_server: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Three nodes of one processor each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VENEER_HOME", str(tmp_path_factory.mktemp("nodes")))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_enable_metrics_collection", "0")
        from ray.cluster_utils import Cluster

        made = Cluster()
        for _ in range(3):
            add_node(made)
        yield made
        made.shutdown()


def apply(cluster: Any, folder: Path, *more: object, look: str = "none") -> Any:
    return veneer("apply", folder / "in", folder / "out", "--look", look, "--cluster", cluster.address, *more)


def states(folder: Path) -> list[tuple[str, str]]:
    lines = (folder / "out.veneer.jsonl").read_bytes().splitlines()
    return sorted((one["path"], one["state"]) for one in map(json.loads, lines))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path


def test_nodes_write_the_same_bytes_as_one_process(cluster: Any, folder: Path, portrait_bgr: ImageU8) -> None:
    for index in range(3):
        write_picture(folder / "in" / f"{index}.png", portrait_bgr[index * 4 :])
    film(folder / "in" / "a.mp4", 6)
    (folder / "in" / "poison.png").write_bytes(b"no picture")
    done = apply(cluster, folder, "--report", folder / "report.json", look="soft")
    assert done.returncode == 2 and "4 of 5 files done" in done.stderr, done.stderr
    assert "poison.png" in done.stderr and "quarantined after 3 tries" in done.stderr
    assert "3 nodes; soft: openvino" in done.stderr and "without a token" in done.stderr
    assert veneer("apply", folder / "in", folder / "one", "--look", "soft").returncode == 2
    names = files(folder / "out")
    assert names == files(folder / "one")
    for name in names:
        assert (folder / "out" / name).read_bytes() == (folder / "one" / name).read_bytes(), name
    report = json.loads((folder / "report.json").read_text())
    assert (report["files"]["done"], report["retries"], report["frames"]) == (4, 2, 9)
    assert [one["path"] for one in report["quarantined"]] == ["poison.png"]


def test_nodes_do_the_segments_of_one_film(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(divided_films, "SEGMENT_S", 8.0)
    source = film(tmp_path / "film.mp4", 720)
    given = ("--look", "none", "--quality", "0")
    done = veneer("apply", source, tmp_path / "out.mp4", *given, "--cluster", cluster.address, "--log", "json")
    assert done.returncode == 0 and "1 of 1 files done" in done.stderr, done.stderr
    assert veneer("apply", source, tmp_path / "one.mp4", *given).returncode == 0
    (joined, times), (whole, whole_times) = (read_pictures(tmp_path / name) for name in ("out.mp4", "one.mp4"))
    assert len(joined) == 720 and times == whole_times
    assert all(np.array_equal(*pair) for pair in zip(joined, whole, strict=True))
    assert (tmp_path / "out.mp4").read_bytes() != (tmp_path / "one.mp4").read_bytes(), "segments have key frames"


def test_node_killed_in_a_file_costs_no_output(cluster: Any, folder: Path) -> None:
    for index in range(4):
        film(folder / "in" / f"{index}.mp4", 400)
    parts, results = folder / "out.veneer.parts", list[Any]()
    run = threading.Thread(target=lambda: results.append(apply(cluster, folder)))
    run.start()
    until(lambda: len(list(parts.glob("*/*/out"))) >= 2, "two films are being written")
    cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
    run.join(HANG_S)
    add_node(cluster)
    assert results and results[0].returncode == 0, results
    assert files(folder / "out") == [f"{index}.mp4" for index in range(4)]
    assert states(folder) == [(f"{index}.mp4", "done") for index in range(4)]
    workers = set(re.findall(r"^(\S+ \d+): \d\.mp4 ", results[0].stderr, re.MULTILINE))
    assert len(workers) >= 2, "each process has a line of the progress display"


def test_killed_driver_continues_where_it_was(cluster: Any, folder: Path) -> None:
    film(folder / "in" / "0.mp4", 3)
    for index in range(1, 4):
        film(folder / "in" / f"{index}.mp4", 400)
    manifest = folder / "out.veneer.jsonl"
    with started("apply", folder / "in", folder / "out", "--look", "none", "--cluster", cluster.address) as run:
        until(lambda: manifest.exists() and manifest.read_bytes().count(b"\n"), "the first film is done")
        os.kill(run.pid, signal.SIGKILL)
        run.communicate(timeout=HANG_S)
    done_before = states(folder)
    before = {name: (folder / "out" / name).stat().st_mtime_ns for name, _ in done_before}
    done = apply(cluster, folder)
    assert done.returncode == 0 and f"{4 - len(before)} of 4 files done" in done.stderr, done.stderr
    assert states(folder) == [(f"{index}.mp4", "done") for index in range(4)]
    assert {name: (folder / "out" / name).stat().st_mtime_ns for name in before} == before


def test_shared_folder_may_vanish_and_return(cluster: Any, folder: Path) -> None:
    shared = folder / "shared"
    (shared / "in").mkdir(parents=True)
    for index in range(6):
        film(shared / "in" / f"{index}.mp4", 300)
    results = list[Any]()
    run = threading.Thread(target=lambda: results.append(apply(cluster, shared)))
    run.start()
    until(lambda: (shared / "out").is_dir() and files(shared / "out"), "the first film is done")
    shared.rename(folder / "away")
    time.sleep(3)
    assert not shared.exists(), "nothing was written in place of it"
    (folder / "away").rename(shared)
    run.join(HANG_S)
    assert results and results[0].returncode == 0, results
    assert files(shared / "out") == [f"{index}.mp4" for index in range(6)]
    assert [state for _, state in states(shared)] == ["done"] * 6


def test_nodes_do_a_bucket_into_a_bucket(cluster: Any, bucket: Any, tmp_path: Path, portrait_bgr: ImageU8) -> None:
    write_picture(tmp_path / "a.png", portrait_bgr)
    film(tmp_path / "b.mp4", 5)
    for name in ("a.png", "b.mp4"):
        bucket.put_file(str(tmp_path / name), f"films/in/süß/{name}")
    arguments = ("apply", "s3://films/in", "s3://films/out", "--look", "none", "--cluster", cluster.address)
    done = veneer(*arguments)
    assert done.returncode == 0 and "2 of 2 files done" in done.stderr, done.stderr
    assert sorted(bucket.find("films/out")) == ["films/out/süß/a.png", "films/out/süß/b.mp4"]
    assert veneer("apply", tmp_path / "b.mp4", tmp_path / "here.mp4", "--look", "none").returncode == 0
    assert bucket.cat_file("films/out/süß/b.mp4") == (tmp_path / "here.mp4").read_bytes()
    assert "0 of 2 files done" in veneer(*arguments).stderr


def test_missing_cluster_is_one_line(folder: Path) -> None:
    film(folder / "in" / "a.mp4", 2)
    done = veneer("apply", folder / "in", folder / "out", "--look", "none", "--cluster", "127.0.0.1:1")
    assert "--cluster 127.0.0.1:1: no connection" in one_line(done)


def test_training_moves_from_torchrun_to_the_cluster(cluster: Any, tmp_path: Path) -> None:
    before, after = write_pairs(make_pairs(4), tmp_path)
    own = ["--before", before, "--after", after, "--no-cut", "--work", tmp_path / "w", *QUICK, "--steps", "2"]
    own += ["--nodes", "2"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        at = ["--master-addr", "127.0.0.1", "--master-port", str(free.getsockname()[1])]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1", *at]
    words = ["-m", "live", "train", "neg", *map(str, own), "--out", str(tmp_path / "first")]
    runs = [subprocess.Popen([*torchrun, "--node-rank", str(rank), *words], cwd=ROOT) for rank in (0, 1)]
    assert [run.wait(HANG_S) for run in runs] == [0, 0]
    quick = {"RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2", "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0"}
    resumed = (*own, "--out", tmp_path / "second", "--resume")
    done = veneer("train", "neg", *resumed, "--cluster", cluster.address, **quick)
    assert done.returncode == 0, done.stderr
    first, second = ((tmp_path / name / "neg.safetensors").read_bytes() for name in ("first", "second"))
    assert second == first, "the checkpoint of the one is that of the other"
