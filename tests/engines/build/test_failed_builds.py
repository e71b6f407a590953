"""A build that failed is noted under the engine's key for a week, and no longer; whatever the note looks like."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from engines.build import build_orders, failed_builds
from engines.build.build_orders import available_builds
from engines.build.failed_builds import KEPT_S, all_failures, clear_failures, find_failure, record_failure
from engines.cache.cache_entry import cache_home
from engines.runtime.base import EngineInfo
from engines.runtime.openvino import int8_graph
from engines.runtime.tensorrt.distribution import Distribution
from engines.runtime.torch.cuda_device import CudaDevice
from engines.styles import load_style

CRASHED = "its builder crashed (SIGSEGV)"


def noted(key: str = "abc", style: str = "toon", reason: str = CRASHED) -> Path:
    record_failure(key, label="OpenVINO INT8", style=style, size="256x256", reason=reason)
    return cache_home() / ".failures" / f"{key}.json"


def test_a_failure_is_remembered_under_its_key_alone() -> None:
    before = time.strftime("%Y-%m-%d")
    noted()
    failure = find_failure("abc")
    assert failure is not None
    today = max(before, str(failure)[-10:])  # it may have become midnight
    assert today in (before, time.strftime("%Y-%m-%d"))
    assert str(failure) == f"OpenVINO INT8 of toon 256x256: {CRASHED} on {today}"
    assert failure.until > today
    assert find_failure("abd") is None, "another driver, version or weights"
    assert find_failure("") is None
    noted(key="")
    assert len(all_failures()) == 1


@pytest.mark.parametrize(("days", "there"), [(0.5, True), (6.9, True), (7.1, False), (-0.5, True), (-3, False)])
def test_it_is_forgotten_after_a_week_and_when_the_clock_was_wrong(days: float, there: bool) -> None:
    assert KEPT_S == 7 * 24 * 3600
    path = noted()
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "at_s": said["at_s"] - days * 24 * 3600}))
    assert (find_failure("abc") is not None) == there
    assert len(all_failures()) == there
    assert path.exists() == there, "what no longer counts is swept away"


def test_another_version_of_the_program_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    noted()
    monkeypatch.setattr(failed_builds, "_version", lambda: "99.0")
    assert find_failure("abc") is None


@pytest.mark.parametrize(
    "text",
    ["", "[", "[]", "{}", '{"label": 3}', "[" * 5000, '{"at_s": 1e999}', "\0" * 50, "x" * 20_000],
)
def test_a_damaged_note_counts_for_nothing(text: str) -> None:
    path = noted()
    whole = json.loads(path.read_text())
    path.write_text(text)
    assert find_failure("abc") is None and all_failures() == []
    for harm in ({"at_s": "soon"}, {"at_s": float("nan")}, {"reason": "two\nlines"}, {"style": ["toon"]}):
        path.write_text(json.dumps({**whole, **harm}))
        assert find_failure("abc") is None, harm


def test_a_reason_is_one_line_whatever_the_builder_wrote() -> None:
    noted(reason="its builder failed (a\nb\x1b[31m)")
    failure = find_failure("abc")
    assert failure is not None and failure.reason == "its builder failed (a?b?[31m)"


def test_a_style_is_forgotten_without_the_others() -> None:
    noted("a", "toon")
    noted("b", "toon")
    noted("c", "soft")
    assert clear_failures("toon") == 2
    assert [failure.style for failure in all_failures()] == ["soft"]
    assert clear_failures() == 1 and all_failures() == [] and clear_failures() == 0


def test_a_disk_that_does_not_allow_it_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        path = noted()
    assert find_failure("abc") is None
    assert list(path.parent.iterdir()) == [], "nothing half-written stays"


def test_another_driver_other_weights_and_another_size_are_other_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a machine with a GPU and a quantiser; the packages whose versions count stand in for TensorRT's."""
    monkeypatch.setattr(build_orders, "installed_distribution", lambda: Distribution("torch", "numpy", "numpy"))
    monkeypatch.setattr(int8_graph, "why_not_buildable", lambda style: "")
    style = load_style("toon")
    copied = tmp_path / "toon.safetensors"
    copied.write_bytes(style.weights.read_bytes() + b"more")
    info = EngineInfo("toon", "openvino", "bf16", "CPU", "")
    keys: dict[str, list[str]] = {}
    for driver in ("580.95.05", "581.0"):
        device = CudaDevice("NVIDIA GeForce RTX 4090", (8, 9), (13, 0), driver)
        monkeypatch.setattr(build_orders, "driver_device", lambda device=device: device)
        for one in (style, replace(style, size_wh=(128, 128)), replace(style, weights=copied)):
            for order in available_builds(one, info, "auto"):
                keys.setdefault(order.label, []).append(order.key())
    assert len(set(keys["TensorRT FP16"])) == 6, "driver, size and weights"
    assert len(set(keys["OpenVINO INT8"])) == 3, "size and weights: no NVIDIA driver has a part in it"
