"""Marks for tests that need a real NVIDIA GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engines.runtime.base import NotUsableError
from engines.runtime.torch.cuda_device import torch_device


def _missing() -> str:
    try:
        torch_device()
    except NotUsableError as error:
        return str(error)
    return ""


def on_gpu(test: Callable[..., Any]) -> Any:
    """Mark a test `gpu`, and skip it with the reason if there is no usable GPU."""
    why = _missing()
    return pytest.mark.gpu(pytest.mark.skipif(bool(why), reason=f"no GPU to run on: {why}")(test))
