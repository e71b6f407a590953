"""Sampling of GPU utilisation and memory with nvidia-smi, which comes with NVIDIA's driver."""

from __future__ import annotations

import re
import subprocess
import sys

_QUERY = ("--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits", "--loop-ms=100")


class GpuSampler:
    """Samples the GPU that this process uses through PyTorch, if any, between `start` and `stop`."""

    def __init__(self) -> None:
        self._program: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start sampling."""
        torch = sys.modules.get("torch")
        if torch is None or not torch.cuda.is_initialized():
            return
        command = ["nvidia-smi", f"--id=GPU-{torch.cuda.get_device_properties(0).uuid}", *_QUERY]
        try:
            self._program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        except OSError:  # the driver has no such program
            return

    def stop(self) -> dict[str, float] | None:
        """Return mean utilisation in percent and maximum memory used by all programs in MB; None if unknown."""
        if self._program is None:
            return None
        self._program.terminate()
        output, _ = self._program.communicate()
        samples = re.findall(r"^(\d+), (\d+)$", output, re.MULTILINE)
        if not samples:
            return None
        busy_percent, used_mib = zip(*((int(busy), int(used)) for busy, used in samples), strict=True)
        mean = sum(busy_percent) / len(samples)
        return {"busy_percent": round(mean, 1), "memory_mb": round(max(used_mib) * 1.048576, 1)}
