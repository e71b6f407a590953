"""A command that needs an optional library says which extra installs it."""

from __future__ import annotations

from engines.extras import missing_module


def test_missing_library_names_the_extra() -> None:
    error = missing_module(ModuleNotFoundError("No module named 'torch'", name="torch"))
    assert str(error) == "this command: PyTorch is not installed - pip install 'veneer[train]'"
    assert missing_module(ModuleNotFoundError("No module named 'json5'", name="json5")) is None
