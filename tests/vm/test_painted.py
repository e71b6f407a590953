"""Known pictures through webcam, painted look and virtual camera; a webcam size change; a killed writer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from vm.chart import (
    CHART_FILE,
    CHART_WH,
    PATCHES_RGB,
    SMALL_FILE,
    SMALL_WH,
    ImageU8,
    chart,
    colour_error,
    mean_rgb,
    moved_into,
    patch_boxes,
    portrait_box,
)
from vm.judging import Times, judge_times
from vm.machine import REPOSITORY, Machine

from live.render.privacy_fallback import card

pytestmark = pytest.mark.vm
LOOK, SIZE = "glaze", "640x360"
ARGUMENTS = {"look": LOOK, "size": SIZE, "timeout_s": 3000}


def painted_here(folder: Path) -> ImageU8:
    """Return the chart painted on the host with `veneer apply`."""
    bare, painted = folder / "bare.png", folder / "painted.png"
    cv2.imwrite(str(bare), chart(CHART_WH))
    command = [sys.executable, "-m", "live", "apply", str(bare), str(painted), "--look", LOOK]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, timeout=300)
    return np.asarray(cv2.imread(str(painted)), np.uint8)


def test_portrait_and_colour_chart_arrive_unchanged(machine: Machine, tmp_path: Path) -> None:
    painted = painted_here(tmp_path)  # first: this compiles the libraries' modules, which the guest cannot
    found = machine.run("painted_chart", picture=CHART_FILE, **ARGUMENTS)
    picture = np.load(machine.exchange / "painted.npy")
    assert found["size_wh"] == list(CHART_WH) and found["webcam"] == [*CHART_WH, "YUYV"], found
    difference = colour_error(mean_rgb(picture, patch_boxes(CHART_WH)), PATCHES_RGB)
    assert difference.mean() < 3 and difference.max() < 6, difference.round(1)
    bare = chart(CHART_WH)
    lips = np.abs(painted.astype(int) - bare).max(-1) > 12
    assert lips.sum() > 100, "the look changes the picture"
    got, expected, before = (image[lips][:, ::-1].mean(0, keepdims=True) for image in (picture, painted, bare))
    assert colour_error(before, expected)[0] > 5 > 3 > colour_error(got, expected)[0], (before, expected, got)


def test_webcam_size_change_keeps_the_readers_size(machine: Machine) -> None:
    """The webcam stops and returns with another size; a V4L2 device cannot change its size while streaming.

    While buffers are allocated, drivers answer a size change with EBUSY (`test_colour_bars_keep_size_colour_and_rate`
    checks this for vivid). A frame of another size in mid-stream, as from a file or a broken driver, is one of the
    faults of `tests/faults`.
    """
    found = machine.run("webcam_changes_size", first=CHART_FILE, then=SMALL_FILE, **ARGUMENTS)
    small, large = found["rounds"]
    assert small["webcam"][:2] == list(SMALL_WH) and large["webcam"][:2] == list(CHART_WH), found
    assert small["virtual"] == large["virtual"] == [*CHART_WH, "YU12"]
    assert found["alive"]
    boxes = moved_into(patch_boxes(SMALL_WH), SMALL_WH, CHART_WH)
    fitted = np.load(machine.exchange / f"after-{SMALL_FILE}.npy")
    difference = colour_error(mean_rgb(fitted, boxes), PATCHES_RGB)
    assert difference.mean() < 3, difference.round(1)
    left = boxes[0][0]
    assert fitted[:, : left - 8].max() < 24 and fitted[:, -left + 8 :].max() < 24, "black bars beside it"
    again = np.load(machine.exchange / f"after-{CHART_FILE}.npy")
    difference = colour_error(mean_rgb(again, patch_boxes(CHART_WH)), PATCHES_RGB)
    assert difference.mean() < 3, difference.round(1)
    left, top, right, bottom = portrait_box(CHART_WH)
    assert again[top:bottom, left:right].std() > 20, "the portrait is visible again"


def test_reader_sees_the_card_after_the_writer_is_killed(machine: Machine) -> None:
    found = machine.run("writer_is_killed", first=CHART_FILE, **ARGUMENTS)
    picture = np.load(machine.exchange / "after-kill.npy")
    assert _is_card(picture), "neither the last frame nor the bare face"
    for number, late in enumerate(np.load(machine.exchange / "opened-after-kill.npy")):
        assert _is_card(late), f"picture {number} of a reader that opened the camera after the crash"
    assert found["to_the_last"]["bytes"] == 0, f"without any opener it is not a camera: {found['to_the_last']}"
    judge_times(machine, "writer_is_killed", Times("from kill -9 to the card", [found["carded_s"]], 4.0))


def _is_card(picture: ImageU8) -> bool:
    return bool(np.abs(picture.astype(int) - card(CHART_WH)).mean() < 6)
