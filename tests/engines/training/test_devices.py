"""The process that trains."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from engines.training import devices


def test_several_devices_wait_hours_for_the_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def fabric(**options: Any) -> Any:
        asked.update(options)
        return SimpleNamespace(launch=lambda: None)

    monkeypatch.setattr(devices, "Fabric", fabric)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    devices.make_fabric("32-true")
    assert asked["strategy"]._timeout.total_seconds() > 12 * 3600
