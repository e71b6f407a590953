"""`python -m benchmarks.peers`: networks and runtimes compared in one run."""

from __future__ import annotations

import json
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks import peers
from benchmarks.engine_matrix.checkout_jobs import picture
from benchmarks.peer_comparison.chart import draw
from benchmarks.peer_comparison.comparison import compare, report, time_in_turns
from benchmarks.peer_comparison.peer_networks import OURS, PEERS, Peer, regions_bgr
from benchmarks.peer_comparison.peer_runtimes import RUNTIMES, peer_backends
from engines.generators.registry import fresh_generator
from engines.training.metrics.model_cost import parameters
from engines.weights_file import shapes_only
from live.render.look_sheet import find_faces

SMALL: dict[str, dict[str, int]] = {
    "cyclegan": {"channels": 8, "blocks": 2},
    "ugatit_light": {"channels": 8, "blocks": 2},
    "photo2cartoon": {"channels": 8, "blocks": 1, "depth": 2},
    "animegan2": {},
}

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("name", SMALL)
def test_openvino_on_one_thread_agrees_with_pytorch(name: str) -> None:
    torch.manual_seed(0)
    ways = peer_backends(fresh_generator(name, SMALL[name]).eval(), (64, 64), 1, None)
    runtimes, region_bgr = ("torch-fp32", "openvino-fp32"), picture(1, (64, 64))
    eager_bgr, converted_bgr = (ways[runtime].open(region_bgr)[1]() for runtime in runtimes)
    assert eager_bgr.shape == (1, 64, 64, 3) and eager_bgr.std() > 1
    assert np.abs(converted_bgr - eager_bgr).max() < 0.1


def test_pix2pix_has_the_depth_of_its_paper() -> None:
    with shapes_only():
        net = PEERS["pix2pix"].make()
    assert parameters(net) == pytest.approx(54.414e6, rel=1e-4)


def test_the_regions_show_a_real_face() -> None:
    cut = regions_bgr()
    head_bgr, lips_bgr = cut["head", (256, 256)], cut["lips", (90, 30)]
    assert head_bgr.shape == (1, 256, 256, 3) and lips_bgr.shape == (1, 30, 90, 3)
    assert len(find_faces(head_bgr[0])) == 1
    blue, _, red = lips_bgr[0].mean((0, 1))
    assert red > 1.2 * blue


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["peers", *words])
    return peers.main()


def test_one_run_compares_networks_and_runtimes(
    tmp_path: Path, built_in_set: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, plot = tmp_path / "peers.json", tmp_path / "peers.png"
    words = f"--net toon_net --net lip_net --seconds 0.1 --threads 1 --json {out} --plot {plot}"
    run(monkeypatch, *words.split())
    table, found = capsys.readouterr().out, json.loads(out.read_text())
    rows = {(row["net"], row["runtime"]): row for row in found["rows"]}
    assert set(rows) == {(net, runtime) for net in ("toon_net", "lip_net") for runtime in RUNTIMES}
    usable = [runtime for runtime in RUNTIMES if not rows[OURS, runtime]["failed"]]
    assert {"torch-fp32", "openvino-fp32"} <= set(usable)
    assert ("openvino-int8" in usable) == (find_spec("nncf") is not None), "INT8 needs NNCF only"
    for (net, runtime), row in rows.items():
        if runtime not in usable:
            assert row["failed"] and f"do not run in {runtime}: {row['failed']}" in table
            continue
        assert not row["failed"] and row["calls"] >= 3 and 0 < row["median_ms"] <= row["p95_ms"]
        assert row["x_ours"] == pytest.approx(row["median_ms"] / rows[OURS, runtime]["median_ms"], rel=0.01)
        assert row["x_torch"] == pytest.approx(rows[net, RUNTIMES[runtime]]["median_ms"] / row["median_ms"], rel=0.01)
        assert row["weights"] == "shipped" and row["gmac"] > 0
    assert rows[OURS, "openvino-fp32"]["error_mean"] < 0.01, "the same answer as eager PyTorch's"
    assert found["threads"] == 1 and found["machine"]["versions"]["torch"] == torch.__version__
    for said in ("threads: PyTorch 1", "random weights, and image quality is not compared", *usable, "toon_net"):
        assert said in table
    assert cv2.imread(str(plot)) is not None


class _Bessel(nn.Module):
    """A network with an operation that OpenVINO does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, rgb: Tensor) -> Tensor:
        return torch.special.bessel_j0(self.conv(rgb))


def test_a_network_that_fails_is_listed_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PEERS, "bessel", Peer("bessel", "a test", "head", (256, 256), "random", _Bessel))
    done = compare(["bessel"], ["torch-fp32", "openvino-fp32"], seconds=0.01, threads=1)
    eager, converted = done.rows
    assert eager.median_ms and not eager.failed
    assert converted.median_ms is None and "special_bessel_j0" in converted.failed
    assert f"bessel does not run in openvino-fp32: {converted.failed}" in report(done.rows)
    assert eager.x_ours is None, "ours was not in this run"


class _Nan(_Bessel):
    def forward(self, rgb: Tensor) -> Tensor:
        return self.conv(rgb) * float("nan")


def test_a_network_that_returns_nan_has_no_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PEERS, "nan", Peer("nan", "a test", "head", (256, 256), "random", _Nan))
    (row,) = compare(["nan"], ["torch-fp32"], seconds=0.01, threads=1).rows
    assert row.median_ms is None and "NaN" in row.failed


def test_timed_calls_are_interleaved_in_changing_order() -> None:
    made: list[str] = []
    took_ms, whole = time_in_turns({name: lambda name=name: made.append(name) for name in "abc"}, seconds=0.01)
    assert whole and all(len(times) >= 3 for times in took_ms.values())
    turns = [name for place, name in enumerate(made) if place == 0 or made[place - 1] != name]
    assert turns[:3] == ["a", "b", "c"], "one untimed call each"
    assert len(turns) >= 10, "the turns of one call are spread out"
    assert sum(map(len, took_ms.values())) < len(made)


class _Stopping(_Bessel):
    """Raises KeyboardInterrupt in its fifth call, after the reference answer, an untimed call and two timed ones."""

    seen = 0

    def forward(self, rgb: Tensor) -> Tensor:
        if rgb.device.type == "cpu":
            self.seen += 1
            time.sleep(0.06)  # longer than half a turn: one call each
        if self.seen == 5:
            raise KeyboardInterrupt
        return self.conv(rgb)


def test_ctrl_c_keeps_the_times_measured_so_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(PEERS, "stopping", Peer("stopping", "a test", "head", (256, 256), "random", _Stopping))
    out = tmp_path / "peers.json"
    words = f"--net stopping --runtime torch-fp32 --threads 1 --json {out}"
    assert run(monkeypatch, *words.split()) == 130
    assert "stopped early" in capsys.readouterr().err
    found = json.loads(out.read_text())
    assert found["complete"] is False
    assert found["rows"][0]["calls"] == 2 and found["rows"][0]["median_ms"] >= 60


def test_a_longer_time_has_a_longer_bar(tmp_path: Path) -> None:
    draw(tmp_path / "bars.png", [("one", "torch-fp32", 2.0), ("other", "torch-fp32", 90.0)])
    bars = cv2.imread(str(tmp_path / "bars.png"))
    assert bars is not None
    grey = (bars == 150).all(2)
    wide = [int(row.sum()) for row in grey if row.sum() > 50]
    assert max(wide) > 3 * min(wide) > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--net stylegan", "invalid choice: 'stylegan'"),
        ("--runtime onnx", "invalid choice: 'onnx'"),
        ("--seconds 0", "'0' is not a number from 0.01 to 3600"),
        ("--seconds soon", "'soon' is not a number"),
        ("--threads 0", "'0' is not an integer from 1 to"),
        ("everything", "unrecognized arguments: everything"),
    ],
)
def test_wrong_arguments_get_one_line(
    words: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, *words.split())
    written = capsys.readouterr()
    assert ended.value.code == 2 and written.out == ""
    assert message in written.err and written.err.count("\n") == 1
