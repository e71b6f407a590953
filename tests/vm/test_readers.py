"""Real readers of the virtual camera: one, two, intermittent, and a browser."""

from __future__ import annotations

import numpy as np
import pytest
from vm.chart import BARS_RGB, CHART_FILE, bar_boxes, colour_error, mean_rgb
from vm.guest.shell import cpu_benchmark_s
from vm.judging import REPORT, Times, judge_times
from vm.machine import Machine

pytestmark = pytest.mark.vm
SIZE_WH, FPS = [320, 180], 15  # as requested by the scenarios


def test_colour_bars_keep_size_colour_and_rate(machine: Machine) -> None:
    found = machine.run("webcam_to_reader", pictures=60, timeout_s=3000)
    assert found["size_wh"] == SIZE_WH and found["format"] == [*SIZE_WH, "YU12"]
    device_caps = found["caps"].partition("Device Caps")[2]
    assert "Video Capture" in device_caps and "Output" not in device_caps, "it appears as a capture device"
    assert "320/180" in found["webcam"]
    difference = colour_error(mean_rgb(np.load(machine.exchange / "bars.npy"), bar_boxes((320, 180))), BARS_RGB)
    assert difference.mean() < 3 and difference.max() < 6, difference.round(1)
    assert found["new"] > 20, "the webcam's counter runs"
    other_size = found["other_size"]
    assert "busy" in other_size["output"] and not other_size["changed"], (
        f"a webcam cannot change its size while streaming: {other_size}"
    )
    REPORT.append(f"rate: {found['fps']:.1f} pictures a second of {FPS}, {found['new_fps']:.1f} of them new")
    assert found["fps"] < 1.2 * FPS
    judge_times(machine, "webcam_to_reader", Times("60 pictures", [60 / found["fps"]], 60 * 1.2 / FPS))


def test_two_readers_share_the_camera(machine: Machine) -> None:
    found = machine.run("two_readers", timeout_s=3000)
    for name in ("one", "other"):
        assert found[name]["size_wh"] == SIZE_WH and found[name]["new"] >= 2, found
        difference = colour_error(mean_rgb(np.load(machine.exchange / f"{name}.npy"), bar_boxes((320, 180))), BARS_RGB)
        assert difference.mean() < 3, (name, difference.round(1))
    judge_times(machine, "two_readers", Times("gap when the other reader left", [found["longest_gap_after_s"]], 1.0))


def test_webcam_is_released_between_readers(machine: Machine) -> None:
    found = machine.run("reader_comes_and_goes", times=3, timeout_s=3000)
    assert found["alive"] and len(found["rounds"]) == 3
    assert "no viewers" in found["output"]
    slower = found["cpu_benchmark_s"] / cpu_benchmark_s()
    share = found["idle_cores"] / slower
    used = f"without readers {found['idle_cores']:.1%} of an emulated CPU is used"
    REPORT.append(f"{used}; it is {slower:.0f} times slower than the host's: {share:.2%} of that")
    assert share < 0.02
    judge_times(
        machine,
        "reader_comes_and_goes",
        Times("webcam opened after a reader connected", [cycle["taken_s"] for cycle in found["rounds"]], 1.0),
        Times("webcam released after it left", [cycle["released_s"] for cycle in found["rounds"]], 8.0),
        Times("live pictures after a reader connected", [cycle["live_s"] for cycle in found["rounds"]], 1.0),
    )


def test_latency_from_webcam_to_virtual_camera(machine: Machine) -> None:
    found = machine.run("stamped_frames", frames=10, timeout_s=3000)
    (measured,) = found["runs"]
    assert "/dev/video2 to /dev/video10" in found["printed"], found["printed"]
    latency_ms = measured["latency_ms"]
    assert measured["frames"] >= 10 and 0 < latency_ms["p50"] <= latency_ms["p95"] <= latency_ms["p99"], measured
    summary = f"p50 {latency_ms['p50']:.0f}, p95 {latency_ms['p95']:.0f}, p99 {latency_ms['p99']:.0f} ms"
    REPORT.append(f"camera to virtual camera, emulated, without face mesh: {summary}, {measured['dropped']} dropped")


def test_chromium_lists_and_shows_the_virtual_camera(machine: Machine) -> None:
    found = machine.run("browser_shows_camera", picture=CHART_FILE, timeout_s=3000)
    reported = {name: value for message in found["messages"] for name, value in message.items()}
    assert "failed" not in reported and "shown" in reported, found["messages"]
    labels = [label.partition(" (")[0] for label in reported["cameras"]]
    assert "Veneer" in labels, labels
    assert "Phone" not in labels, "a device without exclusive_caps is not listed, as `veneer doctor` reports"
    assert reported["label"].startswith("Veneer") and reported["shown"]["size_wh"] == SIZE_WH
    assert reported["changes"] >= 1, "the picture changes"
    row = np.array(reported["shown"]["row"], np.uint8).reshape(1, -1, 3)[:, :, ::-1].repeat(180, 0)
    difference = colour_error(mean_rgb(row, bar_boxes((320, 180))), BARS_RGB)
    assert difference.mean() < 3 and difference.max() < 6, difference.round(1)
