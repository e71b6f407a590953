"""The `veneer` command with real files, a real X server and, where signals and control matter, real processes."""

from __future__ import annotations

import json
import os
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.cli_parts import HANG_S, call, started, until
from support.hotkey_program import x_server
from support.sink_clips import beeps_heard, plain_frame, read_pictures, write_sound

from engines.looks_file import load_looks
from live.picture_files.picture_reader import read_picture
from live.picture_files.picture_writer import write_picture
from live.pipeline.frame import Frame, ImageU8
from live.sinks.video_file import VideoFileSink

LOOKS = ["none", "toon", "comic", "gouache", "glaze"]


def test_version_is_that_of_the_package() -> None:
    done = call("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"veneer {metadata.version('veneer')}\n", "")


def test_run_writes_a_report(tmp_path: Path) -> None:
    done = call("run", "--source", "demo", "--sink", "null", "--frames", 60, "--report", tmp_path / "r.json")
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if not line.startswith("veneer: ")] == []
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["frames_in"] == report["frames_out"] == 60
    assert report["dropped"] == 0
    assert report["faces_found"] >= 55
    assert report["fps"] > 1
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["p95"] <= report["latency_ms"]["p99"]
    for stage in ("track", "region", "generate", "composite", "send"):
        assert set(report["stages_ms"][stage]) == {"p50", "p95", "p99"}
    assert report["stages_ms"]["track"]["p50"] > 0.1
    (engine,) = report["engines"]
    assert (
        engine["style"] == "lips-glaze" and engine["runtime"] == "openvino" and engine["precision"] in ("fp32", "bf16")
    )
    assert engine["device"] and engine["why"]
    assert {"python", "mediapipe", "veneer"} <= set(report["versions"])


def test_run_writes_every_frame_with_its_time(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    done = call(
        "run",
        "--source",
        "demo",
        "--size",
        "640x360",
        "--sink",
        f"file:{film}",
        "--sink",
        "null",
        "--frames",
        45,
        "--look",
        "matte-red",
    )
    assert done.returncode == 0, done.stderr
    pictures, times_s = read_pictures(film)
    assert len(pictures) == 45 and pictures[0].shape == (360, 640, 3)
    assert np.allclose(times_s, np.arange(45) / 30, atol=1e-3)


def test_ctl_controls_a_running_program(tmp_path: Path, veneer_home: Path) -> None:
    report = tmp_path / "r.json"
    with started("run", "--source", "demo", "--sink", "null", "--report", report) as run:
        until(lambda: call("ctl", "status").returncode == 0, "the status")
        assert "bright" in call("ctl", "look", "bright").stdout
        wrong = call("ctl", "look", "glase")
        assert wrong.returncode == 2 and "glaze" in wrong.stderr
        assert call("ctl", "snapshot").returncode == 0
        until(lambda: list((veneer_home / "pictures").glob("*.png")), "the snapshot")
        assert call("ctl", "record", "on").returncode == 0
        (film,) = until(lambda: list((veneer_home / "videos").glob("*.mp4")), "the recording")
        until(lambda: film.stat().st_size > 20_000, "recorded frames")
        assert call("ctl", "mirror").returncode == 0
        status = call("ctl", "status").stdout.splitlines()
        assert {"mirror: on", "freeze: off", "record: on", "viewers see: picture"} <= set(status)
        assert call("ctl", "record", "off").returncode == 0
        assert call("ctl", "quit").returncode == 0
        _, said = run.communicate(timeout=HANG_S)
    assert run.returncode == 0, said
    found = json.loads(report.read_text())
    assert found["look"] == "bright"
    assert found["frames_in"] == found["frames_out"] + found["dropped"] + found["in_flight"]
    times_s = read_pictures(film)[1]
    assert found["recorded"] == {"frames": len(times_s), "dropped": 0} and len(times_s) > 1
    assert np.allclose(np.diff(times_s), 1 / 30, atol=1e-3), "every frame of the demo at full speed"
    assert read_picture(next((veneer_home / "pictures").glob("*.png"))).shape == (720, 1280, 3)
    assert call("ctl", "status").returncode == 2


@pytest.mark.screen
def test_preview_keys_change_the_look(tmp_path: Path) -> None:
    report, own = tmp_path / "r.json", tmp_path / "own.toml"
    own.write_text('[looks.evening]\nkey = "e"\nlayers = [{ style = "shade", color = "#6e0f1f" }]\n')
    command = ["run", "--source", "demo", "--size", "320x240", "--sink", "window", "--report", report]
    command += ["--looks-file", own]
    with x_server() as (display, _), started(*command, env={"DISPLAY": display, "WAYLAND_DISPLAY": ""}) as run:
        keys = {**os.environ, "DISPLAY": display}

        def search() -> list[str]:
            found = subprocess.run(["xdotool", "search", "--name", "Veneer"], env=keys, capture_output=True, text=True)
            return found.stdout.split()

        window = until(search, "the window")[0]

        def press(key: str) -> None:
            subprocess.run(["xdotool", "windowfocus", "--sync", window, "key", key], env=keys, check=True, timeout=30)

        assert "glaze" in until(lambda: call("ctl", "status").stdout, "the status")
        press("e")
        until(lambda: "look: evening" in call("ctl", "status").stdout, "the look of one's own")
        press("1")
        until(lambda: "toon" in call("ctl", "status").stdout, "look toon")
        press("b")
        until(lambda: re.search(r"panic\W+(on|yes|True)", call("ctl", "status").stdout), "the panic card")
        press("q")
        _, said = run.communicate(timeout=HANG_S)
    assert run.returncode == 0, said
    assert [line for line in said.splitlines() if not line.startswith("veneer: ")] == []
    assert json.loads(report.read_text())["look"] == "toon"


def test_apply_paints_a_picture(tmp_path: Path, portrait_bgr: ImageU8) -> None:
    write_picture(tmp_path / "in.png", portrait_bgr)
    done = call("apply", tmp_path / "in.png", tmp_path / "out.png", "--look", "matte-red")
    assert done.returncode == 0, done.stderr
    painted = read_picture(tmp_path / "out.png")
    changed = np.argwhere((painted != portrait_bgr).any(2))
    assert len(changed) > 50
    low, high = changed.min(0), changed.max(0)
    assert (low > (120, 190)).all() and (high < (165, 260)).all()  # only the lips


@pytest.mark.parametrize("kind", ["grey", "16-bit", "rgba", "1x1"])
def test_apply_accepts_every_pixel_format(tmp_path: Path, portrait_bgr: ImageU8, kind: str) -> None:
    import cv2

    picture: Any = {
        "grey": cv2.cvtColor(portrait_bgr, cv2.COLOR_BGR2GRAY),
        "16-bit": portrait_bgr.astype(np.uint16) * 257,
        "rgba": np.dstack([portrait_bgr, np.full((512, 512), 200, np.uint8)]),
        "1x1": portrait_bgr[:1, :1],
    }[kind]
    cv2.imwrite(str(tmp_path / "in.png"), picture)
    done = call("apply", tmp_path / "in.png", tmp_path / "out.png")
    assert done.returncode == 0, done.stderr
    assert read_picture(tmp_path / "out.png").shape[:2] == picture.shape[:2]


def test_apply_names_the_files_of_a_folder_that_failed(tmp_path: Path, portrait_bgr: ImageU8) -> None:
    folder = tmp_path / "in"
    (folder / "more").mkdir(parents=True)
    write_picture(folder / "a.png", portrait_bgr)
    write_picture(folder / "more" / "b.jpg", portrait_bgr)
    (folder / "broken.png").write_bytes(b"not a picture")
    (folder / "notes.txt").write_text("not a picture")
    done = call("apply", folder, tmp_path / "out", "--look", "bright")
    assert done.returncode == 2
    assert "2 of 3 files done" in done.stderr and "broken.png" in done.stderr
    assert "Traceback" not in done.stderr
    out = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert out == ["a.png", "more/b.jpg"]


def test_looks_are_listed_and_shown_on_a_sheet(tmp_path: Path) -> None:
    listed = call("looks")
    assert listed.returncode == 0
    assert [line.split()[1] for line in listed.stdout.splitlines()][:5] == LOOKS
    done = call("looks", "--sheet", tmp_path / "sheet.png")
    assert done.returncode == 0, done.stderr
    sheet = read_picture(tmp_path / "sheet.png")
    assert len(load_looks()) == 20
    tiles = [sheet[16 + row * 456 :][:400, 16 + column * 416 :][:, :400] for row in range(5) for column in range(4)]
    assert sheet.shape == (5 * 456 + 16, 4 * 416 + 16, 3)
    plain = tiles[0].astype(int)
    assert all((np.abs(tile - plain).max(2) > 0).mean() > 0.9 for tile in tiles[13:16]), "the room is painted too"
    for tile in (tiles[4], *tiles[9:13]):  # lip looks: the same picture at the same size, other lips
        changed = (np.abs(tile - plain).max(2) > 0).mean()
        assert 0.001 < changed < 0.05


def test_doctor_reports_each_check_with_a_remedy(veneer_home: Path) -> None:
    done = call("doctor", "--json", env={"DISPLAY": "", "WAYLAND_DISPLAY": ""})
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    checks = {check["name"]: check for check in report["checks"]}
    assert checks["face model"]["ok"] and "1 face" in checks["face model"]["says"]
    assert checks["engine lips-glaze"]["ok"] and "openvino" in checks["engine lips-glaze"]["says"]
    assert not checks["window"]["ok"] and checks["window"]["do"]
    assert str(veneer_home) in checks["settings"]["says"]
    assert all(check["ok"] or check["do"] for check in report["checks"])
    assert report["ok"] == (done.returncode == 0)


def test_ctl_asks_for_the_pid_if_two_programs_run() -> None:
    command = ["run", "--source", "demo", "--size", "320x240", "--sink", "null"]
    with started(*command) as one, started(*command) as other:

        def both() -> bool:
            said = call("ctl", "status")
            return said.returncode == 2 and all(str(run.pid) in said.stderr for run in (one, other))

        until(both, "both programs")
        for run in (one, other):
            assert call("ctl", "--pid", run.pid, "quit").returncode == 0
            run.communicate(timeout=HANG_S)
            assert run.returncode == 0


def test_apply_keeps_frames_times_and_sound_of_a_video(tmp_path: Path) -> None:
    made = VideoFileSink(tmp_path / "in.mp4", film=write_sound(tmp_path / "in.wav", "pcm_s16le", (0.5,), 2.0))
    made.open(size_wh=(320, 240), fps=25)
    stamps_s = [0.0, 0.04, 0.08, 0.2, 0.24, *(0.3 + index / 25 for index in range(30))]
    for index, pts_s in enumerate(stamps_s):
        made.send(plain_frame(5 * index, pts_s=pts_s, size_wh=(320, 240)))
    made.close()
    done = call("apply", tmp_path / "in.mp4", tmp_path / "out.mp4", "--look", "glaze")
    assert done.returncode == 0, done.stderr
    before, before_s = read_pictures(tmp_path / "in.mp4")
    after, after_s = read_pictures(tmp_path / "out.mp4")
    assert len(before) == len(after) == 35
    assert np.allclose(before_s, after_s, atol=1e-3)
    assert np.allclose([p.mean() for p in before], [p.mean() for p in after], atol=2.0)
    assert np.allclose(beeps_heard(tmp_path / "out.mp4"), beeps_heard(tmp_path / "in.mp4"), atol=0.05)


def test_apply_delivers_the_readable_part_of_a_cut_video(tmp_path: Path) -> None:
    made = VideoFileSink(tmp_path / "in.mkv")
    made.open(size_wh=(320, 240), fps=25)
    noise = np.random.default_rng(0)
    for index in range(60):
        picture = noise.integers(0, 256, (240, 320, 3), dtype=np.uint8)
        made.send(Frame(picture, index, 0.0, index / 25))
    made.close()
    data = (tmp_path / "in.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    done = call("apply", tmp_path / "cut.mkv", tmp_path / "out.mp4")
    assert done.returncode == 2, done.stderr
    assert "frames" in done.stderr
    assert 10 < len(read_pictures(tmp_path / "out.mp4")[0]) < 60
