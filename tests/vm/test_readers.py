"""Real readers of the real virtual camera: one, two, coming and going, and a browser."""

from __future__ import annotations

import numpy as np
import pytest
from vm.chart import BARS_RGB, CHART_FILE, bar_boxes, colour_error, mean_rgb
from vm.guest.shell import yardstick_s
from vm.judging import REPORT, Times, judge_times
from vm.machine import Machine

pytestmark = pytest.mark.vm
SIZE_WH, FPS = [320, 180], 15  # as the scenarios ask for


def test_colour_bars_keep_size_colour_and_rate(machine: Machine) -> None:
    found = machine.run("webcam_to_reader", pictures=60, timeout_s=3000)
    assert found["size_wh"] == SIZE_WH and found["format"] == [*SIZE_WH, "YU12"]
    device_caps = found["caps"].partition("Device Caps")[2]
    assert "Video Capture" in device_caps and "Output" not in device_caps, "a camera like any other"
    assert "320/180" in found["webcam"]
    off = colour_error(mean_rgb(np.load(machine.exchange / "bars.npy"), bar_boxes((320, 180))), BARS_RGB)
    assert off.mean() < 3 and off.max() < 6, off.round(1)
    assert found["new"] > 20, "the webcam's counter goes on"
    other_size = found["other_size"]
    assert "busy" in other_size["said"] and not other_size["changed"], f"no webcam changes in mid-stream: {other_size}"
    REPORT.append(f"pace: {found['fps']:.1f} pictures a second of {FPS}, {found['new_fps']:.1f} of them new")
    assert found["fps"] < 1.2 * FPS
    judge_times(machine, "webcam_to_reader", Times("60 pictures", [60 / found["fps"]], 60 * 1.2 / FPS))


def test_two_readers_share_the_camera(machine: Machine) -> None:
    found = machine.run("two_readers", timeout_s=3000)
    for name in ("one", "other"):
        assert found[name]["size_wh"] == SIZE_WH and found[name]["new"] >= 2, found
        off = colour_error(mean_rgb(np.load(machine.exchange / f"{name}.npy"), bar_boxes((320, 180))), BARS_RGB)
        assert off.mean() < 3, (name, off.round(1))
    judge_times(machine, "two_readers", Times("gap when the other one left", [found["longest_gap_after_s"]], 1.0))


def test_webcam_is_released_between_readers(machine: Machine) -> None:
    found = machine.run("reader_comes_and_goes", times=3, timeout_s=3000)
    assert found["alive"] and len(found["rounds"]) == 3
    assert "no viewers" in found["said"]
    slower = found["yardstick_s"] / yardstick_s()
    share = found["idle_cores"] / slower
    used = f"while nobody reads {found['idle_cores']:.1%} of an emulated processor is in use"
    REPORT.append(f"{used}; it is {slower:.0f} times slower than a real one: {share:.2%} of that")
    assert share < 0.02
    judge_times(
        machine,
        "reader_comes_and_goes",
        Times("webcam taken after a reader came", [each["taken_s"] for each in found["rounds"]], 1.0),
        Times("webcam released after he left", [each["released_s"] for each in found["rounds"]], 8.0),
        Times("live pictures after a reader came", [each["live_s"] for each in found["rounds"]], 1.0),
    )


def test_latency_from_webcam_to_virtual_camera(machine: Machine) -> None:
    found = machine.run("stamped_frames", frames=10, timeout_s=3000)
    (measured,) = found["runs"]
    assert "/dev/video2 to /dev/video10" in found["printed"], found["printed"]
    latency_ms = measured["latency_ms"]
    assert measured["frames"] >= 10 and 0 < latency_ms["p50"] <= latency_ms["p95"] <= latency_ms["p99"], measured
    told = f"p50 {latency_ms['p50']:.0f}, p95 {latency_ms['p95']:.0f}, p99 {latency_ms['p99']:.0f} ms"
    REPORT.append(f"camera to virtual camera, emulated, face mesh and all: {told}, {measured['dropped']} dropped")


def test_chromium_lists_and_shows_the_virtual_camera(machine: Machine) -> None:
    found = machine.run("browser_shows_it", picture=CHART_FILE, timeout_s=3000)
    told = {name: value for each in found["told"] for name, value in each.items()}
    assert "failed" not in told and "shown" in told, found["told"]
    labels = [label.partition(" (")[0] for label in told["cameras"]]
    assert "Veneer" in labels, labels
    assert "Phone" not in labels, "a device without exclusive_caps is not listed, which is what the doctor says"
    assert told["label"].startswith("Veneer") and told["shown"]["size_wh"] == SIZE_WH
    assert told["changes"] >= 1, "it moves"
    row = np.array(told["shown"]["row"], np.uint8).reshape(1, -1, 3)[:, :, ::-1].repeat(180, 0)
    off = colour_error(mean_rgb(row, bar_boxes((320, 180))), BARS_RGB)
    assert off.mean() < 3 and off.max() < 6, off.round(1)
