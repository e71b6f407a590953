"""The device of a training process."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from engines.training import devices


def test_devices_wait_hours_for_the_first_one(monkeypatch: pytest.MonkeyPatch) -> None:
    requested: dict[str, Any] = {}

    def fabric(**options: Any) -> Any:
        requested.update(options)
        return SimpleNamespace(launch=lambda: None, _precision=SimpleNamespace(precision=options["precision"]))

    monkeypatch.setattr(devices, "Fabric", fabric)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    devices.make_fabric("32-true")
    assert requested["strategy"]._timeout.total_seconds() > 12 * 3600
