"""A failed build is recorded under the engine's key for a week; a damaged record has no effect."""

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
from engines.style_lookup import load_style

CRASHED = "its builder crashed (SIGSEGV)"


def recorded(key: str = "abc", style: str = "toon", reason: str = CRASHED) -> Path:
    record_failure(key, "OpenVINO INT8", replace(load_style(style), size_wh=(256, 256)), reason)
    return cache_home() / ".failures" / f"{key}.json"


def test_a_failure_is_found_under_its_key_only() -> None:
    before = time.strftime("%Y-%m-%d")
    recorded()
    failure = find_failure("abc")
    assert failure is not None
    today = max(before, str(failure)[-10:])  # it may have become midnight
    assert today in (before, time.strftime("%Y-%m-%d"))
    assert str(failure) == f"OpenVINO INT8 of toon 256x256: {CRASHED} on {today}"
    assert failure.until > today
    assert find_failure("abd") is None, "another driver, version or weights"
    assert find_failure("") is None
    recorded(key="")
    assert len(all_failures()) == 1


@pytest.mark.parametrize(("days", "there"), [(0.5, True), (6.9, True), (7.1, False), (-0.5, True), (-3, False)])
def test_a_record_expires_after_a_week_or_a_wrong_clock(days: float, there: bool) -> None:
    assert KEPT_S == 7 * 24 * 3600
    path = recorded()
    written = json.loads(path.read_text())
    path.write_text(json.dumps({**written, "at_s": written["at_s"] - days * 24 * 3600}))
    assert (find_failure("abc") is not None) == there
    assert len(all_failures()) == there
    assert path.exists() == there, "expired records are deleted"


def test_another_version_of_the_program_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded()
    monkeypatch.setattr(failed_builds, "library_version", lambda name: "99.0")
    assert find_failure("abc") is None


@pytest.mark.parametrize(
    "text",
    ["", "[", "[]", "{}", '{"label": 3}', "[" * 5000, '{"at_s": 1e999}', "\0" * 50, "x" * 20_000],
)
def test_a_damaged_record_has_no_effect(text: str) -> None:
    path = recorded()
    whole = json.loads(path.read_text())
    path.write_text(text)
    assert find_failure("abc") is None and all_failures() == []
    for damage in ({"at_s": "soon"}, {"at_s": float("nan")}, {"reason": "two\nlines"}, {"style": ["toon"]}):
        path.write_text(json.dumps({**whole, **damage}))
        assert find_failure("abc") is None, damage


def test_control_characters_in_a_reason_are_replaced() -> None:
    recorded(reason="its builder failed (a\nb\x1b[31m)")
    failure = find_failure("abc")
    assert failure is not None and failure.reason == "its builder failed (a?b?[31m)"


def test_records_of_one_style_can_be_cleared() -> None:
    recorded("a", "toon")
    recorded("b", "toon")
    recorded("c", "soft")
    assert clear_failures("toon") == 2
    assert [failure.style for failure in all_failures()] == ["soft"]
    assert clear_failures() == 1 and all_failures() == [] and clear_failures() == 0


def test_a_full_disk_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        path = recorded()
    assert find_failure("abc") is None
    assert list(path.parent.iterdir()) == [], "no temporary file stays"


def test_driver_weights_and_size_change_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU, TensorRT and NNCF are simulated; other packages provide the versions."""
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
    assert len(set(keys["OpenVINO INT8"])) == 3, "size and weights; the NVIDIA driver does not matter"
