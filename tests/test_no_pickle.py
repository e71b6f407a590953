"""No file can run code: no pickle in the sources, and hostile files are refused."""

from __future__ import annotations

import ast
import io
import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.root import ROOT

from engines import paths
from engines.errors import VeneerError
from engines.imports.checkpoint_file import read_groups
from engines.looks_file import load_looks
from engines.style_lookup import load_style
from engines.training.checkpoints.resume import CHECKPOINT, load_run
from engines.training.data.aligned import load_region
from engines.training.losses.perceptual import VggFeatures
from live.options import load_options
from live.picture_files.picture_reader import read_picture
from live.settings import settings_file
from live.sources.video_source import VideoSource
from live.tracking.face_landmarker import LandmarkerMesh
from tests.fuzz import samples

PACKAGES = ("engines", "live", "calibration", "benchmarks")
BANNED_MODULES = {
    "pickle", "cPickle", "_pickle", "pickletools", "dill", "cloudpickle", "joblib", "jsonpickle", "shelve", "marshal",
    "yaml", "ruamel", "h5py",
}  # fmt: skip
BANNED_CALLS = {
    "torch.save", "torch.jit.load", "torch.package.PackageImporter", "eval", "exec", "compile",
    "np.fromregex", "numpy.load", "pandas.read_pickle", "os.system", "os.popen",
}  # fmt: skip
REQUIRED_KEYWORDS = {
    "np.load": ("allow_pickle", False), "torch.export.load": ("weights_only", True),
    "torch.load": ("weights_only", True),
}  # fmt: skip


def unsafe_lines(source: str) -> Iterator[str]:
    """Return the lines of a source that could run code from data."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from (f"{node.lineno}: import {name}" for name in names if name.split(".")[0] in BANNED_MODULES)
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            given = {word.arg: ast.unparse(word.value) for word in node.keywords}
            keyword, required = REQUIRED_KEYWORDS.get(called, ("", None))
            careless = bool(keyword) and given.get(keyword) != str(required)
            loose = given.get("allow_pickle") == "True" or given.get("weights_only") == "False"
            shell = called.startswith("subprocess.") and given.get("shell") == "True"
            if called in BANNED_CALLS or careless or loose or shell:
                yield f"{node.lineno}: {ast.unparse(node)[:80]}"


@pytest.mark.parametrize("package", PACKAGES)
def test_no_source_unpickles_or_evaluates_data(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    found = {str(path.relative_to(ROOT)): list(unsafe_lines(path.read_text(encoding="utf-8"))) for path in files}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from yaml import load", "import os, marshal", "torch.load('a')",
        "torch.load('a', weights_only=x)", "np.load('a')", "np.load('a', allow_pickle=True)",
        "torch.export.load('a')", "eval('1')", "x(y, allow_pickle=True)",
        "subprocess.run('a', shell=True)",
    ],
)  # fmt: skip
def test_search_finds_each_unsafe_call(source: str) -> None:
    assert list(unsafe_lines(source))


class Payload:
    """Unpickling it creates a folder, whose name is in the environment."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (os.environ["VENEER_TEST_RAN"],)


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VENEER_TEST_RAN", str(tmp_path / "the-payload-ran"))
    return tmp_path / "the-payload-ran"


def _pickled() -> bytes:
    return pickle.dumps(Payload())


def _torch_file() -> bytes:
    file = io.BytesIO()
    torch.save({"weight": Payload()}, file)
    return file.getvalue()


def _npz() -> bytes:
    file = io.BytesIO()
    names = ("landmarks_xy", "person", "kind", "0.weight", "0.bias")
    np.savez(file, **{name: np.array([Payload()], dtype=object) for name in names})  # type: ignore[arg-type]
    return file.getvalue()


def _bundle() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("face_detector.tflite", "face_landmarks_detector.tflite", "data.pkl", "archive/data.pkl"):
            archive.writestr(name, _pickled())
    return file.getvalue()


def _weights(folder: Path, content: bytes) -> None:
    home = paths.data_dir() / "weights"
    home.mkdir(parents=True)
    (home / "mine.json").write_bytes(samples.cards()[0])
    (home / "mine.safetensors").write_bytes(content)
    load_style("mine").load_generator()


def _card(folder: Path, content: bytes) -> None:
    home = paths.data_dir() / "weights"
    home.mkdir(parents=True)
    (home / "mine.json").write_bytes(content)
    load_style("mine")


def _settings(folder: Path, content: bytes) -> None:
    settings_file().parent.mkdir(parents=True)
    settings_file().write_bytes(content)
    load_options({})


def _region(folder: Path, content: bytes) -> None:
    (folder / "one.png").write_bytes(samples.pictures()[0])
    (folder / "one.npz").write_bytes(content)
    load_region(folder, "one")


def _written(name: str, read: Callable[[Path], object]) -> Callable[[Path, bytes], object]:
    def written(folder: Path, content: bytes) -> object:
        (folder / name).write_bytes(content)
        return read(folder / name)

    return written


READERS: dict[str, Callable[[Path, bytes], object]] = {
    "style weights": _weights,
    "style card": _card,
    "settings": _settings,
    "aligned region": _region,
    "looks": _written("looks.toml", load_looks),
    "checkpoint": _written(CHECKPOINT, lambda path: load_run(path.parent)),
    "imported checkpoint": _written("net.pt", read_groups),
    "VGG-19 weights": _written("vgg.npz", VggFeatures),
    "face model": _written("face.task", lambda path: LandmarkerMesh(path, 1, still=True)),
    "picture": _written("picture.png", read_picture),
    "video": _written("video.mp4", lambda path: VideoSource(path).open()),
}
DISGUISES = {"a pickle": _pickled, "a PyTorch file": _torch_file, "an npz of objects": _npz, "a bundle": _bundle}


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("reader", READERS)
def test_hostile_file_is_refused_in_one_line(tmp_path: Path, ran: Path, reader: str, disguise: str) -> None:
    with pytest.raises(VeneerError) as caught:
        READERS[reader](tmp_path, DISGUISES[disguise]())
    assert str(caught.value).isprintable()
    assert not ran.exists()


def test_payload_works(ran: Path) -> None:
    pickle.loads(_pickled())
    assert ran.is_dir()
    ran.rmdir()
    with np.load(io.BytesIO(_npz()), allow_pickle=True) as found:
        assert found["person"] is not None
    assert ran.is_dir()
