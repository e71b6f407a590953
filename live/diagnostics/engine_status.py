"""What is said of engines: in the status, in the preview, and where an NVIDIA GPU is there and not used."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable

from engines.runtime.base import EngineInfo, NotUsableError
from engines.runtime.torch.cuda_device import driver_device

_ON_GPU = ("TensorRT", "CUDA")  # so the reasons begin why an engine does not run on the GPU (see `open_engine`)


def in_words(info: EngineInfo) -> str:
    """All of it: "soft: openvino int8 on CPU, failed: mean dE 3.1, at most 1.0"."""
    runs = f"{info.style}: {info.runtime} {info.precision} on {info.device}"
    return f"{runs}, {info.verdict}" if info.verdict else runs


def in_short(infos: Iterable[EngineInfo]) -> str:
    """As much as the preview has room for: "openvino int8 failed: mean dE 3.1, torch fp32"."""
    runs = {f"{info.runtime} {info.precision} {info.verdict.partition(',')[0]}".rstrip() for info in infos}
    return ", ".join(sorted(runs)) or "no network"


def unused_gpu(info: EngineInfo, coming: Collection[str] = ()) -> str:
    """One line for the user where this machine has an NVIDIA driver and the engine was refused its GPU; else nothing.

    Args:
        info: what the engine runs on; its `why` says what was refused, and what to install.
        coming: runtimes that engines are being built for.
    """
    gpu = _gpu()
    refused = [reason for reason in info.why.split("; ") if reason.startswith(_ON_GPU) and " not usable " in reason]
    if not gpu or not refused or info.runtime == "tensorrt" or info.device == gpu or "tensorrt" in coming:
        return ""
    return f"the {gpu} is not used, {info.runtime} {info.precision} on {info.device} runs: {'; '.join(refused)}"


def _gpu() -> str:
    """The GPU's name, or what it is called where the driver is there and fails; empty without one, or if hidden."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return ""  # as somebody wished
    try:
        return driver_device().name
    except NotUsableError as error:
        return "NVIDIA GPU" if error.do else ""  # where there is no driver, nothing is to be done
