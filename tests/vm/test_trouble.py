"""Devices in use by another program, and v4l2loopback loaded without exclusive_caps."""

from __future__ import annotations

import json

import pytest
from vm.chart import CHART_FILE
from vm.machine import Machine

pytestmark = pytest.mark.vm


def test_busy_device_ends_the_run_and_names_the_program(machine: Machine) -> None:
    found = machine.run("devices_in_use", picture=CHART_FILE, timeout_s=3000)
    assert found["ends"]["webcam"] not in (0, None) and found["ends"]["virtual"] not in (0, None), found
    for which in ("webcam", "virtual"):
        output = found["output"][which].strip()
        assert "\n" not in output and "Traceback" not in output, output
        assert "ffmpeg" in output and str(found["holders"][which]) in output, output
    assert "busy" in found["output"]["webcam"] and "/dev/video10" in found["output"]["virtual"]


def test_doctor_warns_about_missing_exclusive_caps(machine: Machine) -> None:
    found = machine.run("doctor_on_plain_module", timeout_s=3000)
    checks = {}
    for which in ("without", "with"):
        checks[which] = {check["name"]: check for check in json.loads(found[which])}  # no other output
        assert checks[which]["camera"]["ok"] and "fps" in checks[which]["camera"]["says"], checks
        assert checks[which]["virtual camera"]["ok"]
    without, right = checks["without"]["virtual camera"], checks["with"]["virtual camera"]
    assert "exclusive_caps" in without["says"] and "Chrome" in without["do"] and "exclusive_caps=1" in without["do"]
    assert "exclusive_caps is on" in right["says"] and not right["do"]
