"""`python -m benchmarks.latency`: frame numbers, latency and drops."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import latency
from benchmarks.common.frame_stamp import read_stamp, stamp
from engines.errors import OptionsError, VeneerError


def _picture(portrait_bgr: NDArray[np.uint8], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(portrait_bgr, size_wh), np.uint8)


@pytest.mark.parametrize("size_wh", [(1280, 720), (640, 360), (320, 240)])
@pytest.mark.parametrize("number", [0, 1, 0x5555, 0xFFFF, 40_000])
def test_frame_number_survives_yuv_jpeg_and_noise(
    portrait_bgr: NDArray[np.uint8], size_wh: tuple[int, int], number: int
) -> None:
    picture = _picture(portrait_bgr, size_wh)
    stamp(picture, number)
    assert read_stamp(picture) == number
    planes = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
    assert read_stamp(np.asarray(cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420), np.uint8)) == number
    _, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 40])
    assert read_stamp(np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)) == number
    noise = np.random.default_rng(1).normal(0, 12, picture.shape)
    assert read_stamp(np.clip(picture + noise, 0, 255).astype(np.uint8)) == number
    assert read_stamp(_picture(picture, (size_wh[0] * 3 // 4, size_wh[1] * 3 // 4))) == number


def test_missing_or_damaged_frame_number_is_not_read(portrait_bgr: NDArray[np.uint8]) -> None:
    picture = _picture(portrait_bgr, (1280, 720))
    assert read_stamp(picture) is None
    assert read_stamp(np.zeros((720, 1280, 3), np.uint8)) is None
    stamp(picture, 1234)
    picture[32:64, 32 * 10 : 32 * 11] = 255 - picture[32:64, 32 * 10 : 32 * 11]
    assert read_stamp(picture) is None


def _numbered(number: int) -> NDArray[np.uint8]:
    picture = np.full((90, 160, 3), 128, np.uint8)
    stamp(picture, number)
    return picture


def test_latency_counts_first_arrivals_and_drops() -> None:
    times = latency.FrameTimes(sent_s={number: number / 10 for number in range(10)})
    for number, late_s in ((0, 5.0), (1, 0.1), (2, 0.1), (4, 0.3), (7, 0.1)):
        times.receive(_numbered(number), number / 10 + late_s)
        times.receive(_numbered(number), number / 10 + late_s + 1)  # repeated
    times.receive(np.zeros((90, 160, 3), np.uint8), 9.9)
    report = times.report(burn_in=1)  # the first frame is not counted
    assert (report["frames"], report["dropped"], report["unreadable"]) == (7, 3, 1)
    assert report["latency_ms"]["p50"] == pytest.approx(100)
    assert report["latency_ms"]["max"] == pytest.approx(300)


def test_no_received_frame_is_an_error() -> None:
    with pytest.raises(VeneerError, match="no frame with a readable number"):
        latency.FrameTimes(sent_s={0: 0.0}).report(burn_in=0)


def test_latency_runs_inside_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "latency.json"
    words = f"latency --in-process --look none --size 320x240 --frames 20 --burn-in 5 --json {out}"
    monkeypatch.setattr(sys, "argv", words.split())
    latency.main()
    (run,) = json.loads(out.read_text())["runs"]
    assert run["measured"] == "inside one process"
    assert "inside one process (requested)" in capsys.readouterr().out
    assert run["unreadable"] == 0
    assert 0 < run["latency_ms"]["p50"] <= run["latency_ms"]["p99"] <= run["latency_ms"]["max"]
    assert run["frames"] >= 1
    assert run["frames"] - run["dropped"] <= 20


def test_a_single_device_is_rejected() -> None:
    with pytest.raises(OptionsError, match="only one of them is named"):
        latency.find_devices("/dev/video9", None)
    assert latency.find_devices("/dev/video9", "/dev/video10") == (("/dev/video9", "/dev/video10"), "")
