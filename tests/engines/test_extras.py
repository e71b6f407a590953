"""A command that needs an optional library says which extra installs it."""

from __future__ import annotations

import importlib.util

import pytest

from engines import extras
from engines.errors import OptionsError


def test_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(OptionsError) as caught:
        extras.require("train", "training")
    assert str(caught.value) == (
        "training: PyTorch and Lightning Fabric are not installed - pip install 'veneer[train]'"
    )


def test_installed_libraries_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    extras.require("int8", "veneer calibrate")
    assert extras.missing("int8") == ""
