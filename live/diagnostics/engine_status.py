"""Engines in messages: the status, the preview, and the reason why an NVIDIA GPU is not used."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable

from engines.runtime.base import EngineInfo, NotUsableError
from engines.runtime.torch.cuda_device import driver_device

_GPU_REASONS = ("TensorRT", "CUDA")  # how `open_engine` begins the reasons why an engine does not run on the GPU


def in_words(info: EngineInfo) -> str:
    """Describe an engine: "soft: openvino int8 on CPU, failed: mean dE 3.1, at most 1.0"."""
    runs = f"{info.style}: {info.runtime} {info.precision} on {info.device}"
    return f"{runs}, {info.verdict}" if info.verdict else runs


def in_short(infos: Iterable[EngineInfo]) -> str:
    """Describe engines in the width of the preview: "openvino int8 failed: mean dE 3.1, torch fp32"."""
    runs = {f"{info.runtime} {info.precision} {info.verdict.partition(',')[0]}".rstrip() for info in infos}
    return ", ".join(sorted(runs)) or "no network"


def unused_gpu(info: EngineInfo, building: Collection[str] = ()) -> str:
    """Return one line if this machine has an NVIDIA driver and the engine could not use its GPU, else "".

    Args:
        info: The engine; its `why` names the reasons and what to install.
        building: Runtimes for which engines are being built.
    """
    gpu = _gpu_name()
    refused = [
        reason for reason in info.why.split("; ") if reason.startswith(_GPU_REASONS) and " not usable " in reason
    ]
    if not gpu or not refused or info.runtime == "tensorrt" or info.device == gpu or "tensorrt" in building:
        return ""
    return f"the {gpu} is not used, {info.runtime} {info.precision} on {info.device} runs: {'; '.join(refused)}"


def _gpu_name() -> str:
    """The GPU's name; "NVIDIA GPU" if the driver fails; "" without a driver or if the GPU is hidden by the user."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return ""
    try:
        return driver_device().name
    except NotUsableError as error:
        return "NVIDIA GPU" if error.do else ""  # without a driver there is no remedy
