"""The parts of `benchmarks.fps`: plan, footage, backends and GPU sampling."""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from support.own_style import own_style

from benchmarks.fps_matrix.film import FPS, Portraits, StoppableFilm, open_film
from benchmarks.fps_matrix.fixed_backend import FixedBackendLoader, backends_text, fallback_text
from benchmarks.fps_matrix.gpu_usage import GpuSampler
from benchmarks.fps_matrix.measure_one import run
from benchmarks.fps_matrix.plan import (
    AUTO,
    BACKENDS,
    REFERENCE_LOOKS,
    SIZES,
    Case,
    Extent,
    Selection,
    impossible,
    plan,
)
from engines.looks import Layer, Look
from engines.looks_file import load_looks
from engines.runtime.base import EngineInfo, NotUsableError
from engines.style_lookup import load_style
from live.sources.demo_source import DemoSource
from live.tracking.face_mesh import FaceMeshTracker

LOOKS = load_looks()


def test_default_plan_covers_looks_sizes_and_backends() -> None:
    cases = plan(Selection(), LOOKS)
    assert len(cases) == len(set(cases))
    assert {case.look for case in cases if (case.size, case.faces, case.backend) == ("1280x720", 1, AUTO)} == set(LOOKS)
    sizes = {(size, faces) for size in SIZES for faces in (1, 4)}
    for look in REFERENCE_LOOKS:
        own = [case for case in cases if case.look == look]
        assert {(case.size, case.faces) for case in own if case.backend == AUTO} == sizes
        assert {case.backend for case in own} == set(BACKENDS)


def test_all_plans_every_combination() -> None:
    cases = plan(Selection(everything=True), LOOKS)
    assert len(set(cases)) == len(cases) == len(LOOKS) * len(SIZES) * 2 * len(BACKENDS)


def test_only_named_configurations_are_planned() -> None:
    assert plan(Selection(looks=("toon",)), LOOKS) == [Case("toon", "1280x720", 1, AUTO)]
    assert {case.look for case in plan(Selection(sizes=("640x480",)), LOOKS)} == set(LOOKS)
    (case,) = plan(Selection(("soft",), ("800x600",), (3,), ("openvino bf16",)), LOOKS)
    assert case == Case("soft", "800x600", 3, "openvino bf16")
    many = plan(Selection(looks=("toon",), everything=True), LOOKS)
    assert len(many) == len(SIZES) * 2 * len(BACKENDS), "--all measures unnamed dimensions in full"


def test_look_without_a_network_runs_on_no_runtime() -> None:
    assert impossible(Case("none", "1280x720", 1, AUTO), LOOKS["none"]) == ""
    assert "without a network" in impossible(Case("berry-gloss", "1280x720", 1, "openvino fp32"), LOOKS["berry-gloss"])
    assert impossible(Case("glaze", "1280x720", 1, "openvino fp32"), LOOKS["glaze"]) == ""


@pytest.mark.parametrize(("faces", "size_wh"), [(4, (640, 480)), (3, (1280, 720)), (2, (321, 243))])
def test_tracker_finds_all_portraits_on_every_frame(faces: int, size_wh: tuple[int, int]) -> None:
    film, tracker = Portraits(faces=faces, size_wh=size_wh, pace=False), FaceMeshTracker(max_faces=faces)
    assert film.open().size_wh == size_wh and not film.live
    try:
        frames = [film.read() for _ in range(40)]
        found = [len(tracker.track(frame)) for frame in frames if frame is not None]
    finally:
        tracker.close()
        film.close()
    assert found[-15:] == [faces] * 15
    assert film.read() is None
    first, last = frames[0], frames[-1]
    assert first is not None and last is not None
    assert first.bgr.shape == (size_wh[1], size_wh[0], 3) and first.bgr.flags.c_contiguous and first.bgr.flags.owndata
    assert [frame.frame_id for frame in frames if frame is not None] == list(range(40))
    assert np.abs(first.bgr.astype(int) - last.bgr).mean() > 2, "the camera moves"


def test_one_face_uses_the_demo_source() -> None:
    assert isinstance(open_film(1, (320, 240), pace=True), DemoSource)
    paced = open_film(2, (320, 240), pace=True)
    assert paced.live
    paced.open()
    times_s = [frame.captured_s for _ in range(8) if (frame := paced.read()) is not None]
    paced.close()
    assert times_s[-1] - times_s[0] >= 5.5 / FPS, "not faster than 30 frames per second"


def test_a_film_runs_forwards_and_backwards(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 30, (64, 48))
    for level in (0, 80, 160, 240):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    with closing(open_film(1, (32, 24), pace=False, film=str(tmp_path / "a.avi"))) as film:
        film.open()
        frames = [film.read() for _ in range(8)]
    assert all(frame is not None and frame.size_wh == (32, 24) for frame in frames)
    assert [round(frame.bgr.mean() / 80) for frame in frames if frame] == [0, 1, 2, 3, 2, 1, 0, 1]


def test_film_ends_at_the_set_frame_or_time() -> None:
    by_frame = StoppableFilm(Portraits(faces=2, size_wh=(64, 48), pace=False))
    by_frame.open()
    by_frame.set_end(last_id=2, until_s=float("inf"))
    ids = [frame.frame_id for _ in range(5) if (frame := by_frame.read()) is not None]
    assert ids == [0, 1, 2]
    by_time = StoppableFilm(Portraits(faces=2, size_wh=(64, 48), pace=False))
    by_time.open()
    assert by_time.read() is not None
    by_time.set_end(last_id=1000, until_s=time.monotonic() - 0.001)
    assert by_time.read() is None


def test_unavailable_backend_is_reported_with_the_reason() -> None:
    broken = own_style("mine")
    broken.weights.write_bytes(broken.weights.read_bytes()[:-1000])
    look = Look("mine", "", (Layer(broken, 1.0),))
    with pytest.raises(NotUsableError, match=r"mine\.safetensors"):
        FixedBackendLoader(look, "torch fp32 on CPU", say=print).prepare_engines()


def test_fallbacks_are_described() -> None:
    def info(runtime: str, precision: str, device: str, why: str = "") -> EngineInfo:
        return EngineInfo("toon", runtime, precision, device, why)

    fine, fell = info("openvino", "bf16", "a CPU"), info("torch", "fp32", "CPU", "bf16 failed while frames came in")
    assert backends_text((fine, fine)) == "openvino bf16"
    assert backends_text((fine, fell)) == "openvino bf16 + torch fp32 on CPU"
    assert backends_text((info("torch", "fp16", "NVIDIA H100"),)) == "torch fp16 on GPU"
    assert backends_text(()) == "no network"
    assert fallback_text((fine, fine), "openvino bf16") == fallback_text((fine, fell), AUTO) == ""
    line = fallback_text((fine, fell), "openvino bf16")
    assert line == "requested openvino bf16, but toon ran on torch fp32 on CPU: bf16 failed while frames came in"


def test_burn_in_is_excluded_at_camera_rate() -> None:
    case = Case("matte-red", "320x240", 1, AUTO)
    look_loader = FixedBackendLoader(LOOKS["matte-red"], AUTO, say=print)
    began_s = time.monotonic()
    found = run(case, Extent(30, 30, None, 0.0), look_loader, pace=True)
    lasted_s = time.monotonic() - began_s
    assert lasted_s > 1.8, "60 frames at 30 frames per second"
    assert found["frames_out"] + found["dropped"] <= 33, "only frames after the burn-in"
    assert found["fps"] > 0 and found["paced_fps"] == FPS


@pytest.fixture
def fake_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A fake GPU that PyTorch uses; returns the path of the program that describes it, which is missing."""
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(uuid="41"))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path / "nvidia-smi"


def sample(program: Path, script: str) -> dict[str, float] | None:
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    sampler = GpuSampler()
    sampler.start()
    assert sampler._program is not None
    sampler._program.wait(20)
    return sampler.stop()


def test_gpu_usage_is_that_of_the_used_gpu(fake_gpu: Path) -> None:
    found = sample(fake_gpu, "echo '30, 1000'; [ $1 = --id=GPU-41 ] && echo '44, 3000'; printf '9'")
    assert found == {"busy_percent": 37, "memory_mb": 3145.7}


def test_missing_or_silent_gpu_gives_none(fake_gpu: Path) -> None:
    sampler = GpuSampler()
    sampler.start()
    assert sampler.stop() is None
    assert sample(fake_gpu, "echo '[N/A], [N/A]'") is None


def test_named_precision_is_used() -> None:
    look = Look("lips", "", (Layer(load_style("lips-glaze"), 1.0),))
    look_loader = FixedBackendLoader(look, "openvino fp32", say=print)
    (info,) = look_loader.prepare_engines()
    look_loader.close()
    assert (info.runtime, info.precision) == ("openvino", "fp32")
