"""What a test's own process has printed for the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest


class Said(Sequence[str]):
    """The lines on standard error so far, without "veneer: "."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys, self._lines = capsys, list[str]()

    def _all(self) -> list[str]:
        printed = self._capsys.readouterr().err.splitlines()
        self._lines += [line.removeprefix("veneer: ") for line in printed if line.startswith("veneer: ")]
        return self._lines

    def __len__(self) -> int:
        return len(self._all())

    def __getitem__(self, index: Any) -> Any:
        return self._all()[index]
