"""Fixtures that many tests share: the data folder, the portrait, a home for every test; and the serial pass."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from support.root import ROOT
from support.said import Said

if "PYTEST_XDIST_WORKER" in os.environ:  # one core each: more threads would only wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

if TYPE_CHECKING:
    from support.upgrade_parts import Show

# These measure how late threads and frames are, or wait for a browser or for nodes that are given up when they starve:
# nothing else may run beside them.
TIMING_BOUND = (
    "benchmarks/test_soak.py",
    "engines/build/test_cpu_contention.py",
    "faults/test_patience.py",
    "faults/test_hanging_calls.py",
    "live/pipeline/test_idle.py",
    "live/pipeline/test_pipeline_ends.py",
    "live/upgrades/test_upgrades_pace.py",
    "live/batch/test_cluster.py",
    "live/batch/test_cluster_jobs.py",
    "live/control/test_obs.py",
    "live/panel/test_panel_access.py",
    "live/panel/test_panel_page.py",
    "live/panel/test_phone_page.py",
    "live/panel/test_start_alone.py",
)

# Files with some tests that are marked as serial.
PARTLY_SERIAL = ("live/sinks/test_delayed_microphone.py", "live/sinks/test_window.py")

# The slowest files, which workers take first so that none of them is left alone with one at the end.
SLOW = (
    "live/batch/test_jobs.py",
    "live/upgrades/test_upgrades.py",
    "benchmarks/test_fps.py",
    "faults/test_random_faults.py",
    "live/pipeline/test_frame_pool.py",
    "live/commands/test_cli.py",
    "faults/test_signals_and_full_disks.py",
    "benchmarks/test_engines.py",
    "live/privacy/test_random_sequences.py",
    "calibration/engine_checks/test_quantize.py",
    "engines/runtime/test_torch_cuda.py",
    "fuzz/test_fuzz.py",
)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no other files for the serial pass: all of them take ten seconds."""
    if config.option.markexpr != "serial" or not collection_path.name.startswith("test_"):
        return None
    return collection_path not in {ROOT / "tests" / name for name in (*TIMING_BOUND, *PARTLY_SERIAL)} or None


@pytest.hookimpl(tryfirst=True)  # before pytest selects by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the timing-bound files as serial, and put the slow files first."""
    serial, slow = ({ROOT / "tests" / name for name in names} for names in (TIMING_BOUND, SLOW))
    for item in items:
        if item.path in serial:
            item.add_marker(pytest.mark.serial)
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Faces, clips and lip pairs that are not part of the repository."""
    folder = Path(os.environ.get("VENEER_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "lips").is_dir():
        pytest.skip(f"no data folder at {folder}: set VENEER_DATA to the folder with lips/, faces/ and clips/")
    return folder


@pytest.fixture(autouse=True)
def veneer_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Isolate each test from the user's own settings, caches and recordings."""
    home = tmp_path_factory.mktemp("h")
    monkeypatch.setenv("VENEER_HOME", str(home))
    yield home


@pytest.fixture(scope="session")
def made_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in calibration set, made once."""
    from calibration.sets.set_builder import built_in

    home = tmp_path_factory.mktemp("set")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VENEER_HOME", str(home))
        return built_in()


@pytest.fixture
def built_in_set(made_set: Path, veneer_home: Path) -> Path:
    """The built-in calibration set, linked into the test's home."""
    from engines.cache import calibration_set

    folder = calibration_set.built_in_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(made_set, target_is_directory=True)
    return folder


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A temporary folder whose path is short enough for a Unix socket; that of `tmp_path` is not in a worker."""
    with tempfile.TemporaryDirectory(prefix="v-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def portrait_bgr() -> NDArray[np.uint8]:
    """A real face: NASA's portrait from scikit-image, 512x512."""
    from live.portrait import portrait_bgr as load

    picture = load()
    picture.flags.writeable = False
    return picture


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that `slow_builder` locks while it runs; processes started from here can import that builder."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "support"))
    return tmp_path / "alive"


@pytest.fixture
def shows() -> Iterator[list[Show]]:
    """A list of running shows, each ended with the test."""
    running: list[Show] = []
    yield running
    for show in running:
        show.end()


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A file in place of a device node, for programs to open."""
    path = tmp_path / "video10"
    path.write_bytes(b"frame")
    return path


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """The lines for the user on standard error, without "veneer: "."""
    return Said(capsys)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """PyTorch on one thread: several wait for each other for minutes on a busy processor."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
