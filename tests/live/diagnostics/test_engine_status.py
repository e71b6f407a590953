"""What a run says of its engines: what calibration says goes with it, in `veneer ctl status` and in the preview."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.cache.cache_entry import record_verdict
from engines.looks_file import load_looks
from engines.runtime.base import EngineInfo
from engines.runtime.selector import open_engine
from engines.styles import Style
from live.control.control_socket import ControlServer, send_command
from live.control.control_transport import UnixTransport
from live.diagnostics.engine_status import in_short
from live.options import LiveOptions
from live.session import Session

FAILED = "mean dE 3.1, at most 1.0"


@pytest.mark.parametrize(
    ("passed", "status", "meter"),
    [
        (None, "uncalibrated", "uncalibrated"),
        (True, "passed", "passed"),
        (False, f"failed: {FAILED}", "failed: mean dE 3.1"),
    ],
)
def test_status_and_preview_show_the_engines_verdict(
    passed: bool | None, status: str, meter: str, tmp_path: Path
) -> None:
    looks = {"glaze": load_looks()["glaze"]}
    session = Session(LiveOptions(look="glaze", source="demo", runtime="openvino", sinks=("null",)), looks=looks)
    look_loader = session.pipeline.parts.look_loader
    if passed is not None:
        judge_glaze(passed)
    look_loader.load("glaze")
    (info,) = look_loader.engines("glaze")
    transport = UnixTransport(tmp_path / "run")
    with ControlServer(session.controls, status=session._status, transport=transport):
        lines = send_command(["status"], transport=transport).splitlines()
    assert f"  lips-glaze: openvino {info.precision} on {info.device}, {status}" in lines
    assert f"   openvino {info.precision} {meter}   H help" in session._meter().lines[1]
    look_loader.close()


def judge_glaze(passed: bool) -> None:
    """The same verdict on each precision that OpenVINO would take after another one failed."""
    (layer,) = load_looks()["glaze"].layers
    assert isinstance(layer.style, Style)
    judged: set[str] = set()
    while (key := open_engine(layer.style, runtime="openvino").info.key) not in judged:
        judged.add(key)
        record_verdict(key, passed=passed, because=FAILED)


def test_equal_engines_are_named_once() -> None:
    one = EngineInfo("soft", "openvino", "bf16", "CPU", "", "k", "passed")
    same = EngineInfo("toon", "openvino", "bf16", "CPU", "", "l", "passed")
    reference = EngineInfo("mine", "torch", "fp32", "CPU", "")
    assert in_short([one, same, reference]) == "openvino bf16 passed, torch fp32"
    assert in_short([]) == "no network"
