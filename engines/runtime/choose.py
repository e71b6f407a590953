"""Opens the best engine there is for a style, and says why not a better one."""

from __future__ import annotations

from engines.errors import EngineError, OptionsError
from engines.runtime.base import Engine
from engines.styles import Style

RUNTIMES = ("auto", "openvino", "torch")


def open_engine(style: Style, *, runtime: str = "auto") -> Engine:
    """An engine for the style.

    Args:
        style: what to run.
        runtime: "openvino", "torch", or "auto": OpenVINO, and PyTorch where OpenVINO cannot.

    Raises:
        OptionsError: no such runtime.
        EngineError: the weights are not usable, or the named runtime is not.
    """
    if runtime not in RUNTIMES:
        raise OptionsError(f"runtime {runtime!r}", "there is no such runtime", f"use one of {', '.join(RUNTIMES)}")
    why = "asked for"
    if runtime != "torch":
        try:
            from engines.runtime.openvino_cpu import OpenVinoEngine

            return OpenVinoEngine(style)
        except (ImportError, OSError, RuntimeError) as error:
            why = f"OpenVINO is not usable here: {str(error).strip().splitlines()[0][:120]}"
            if runtime == "openvino":
                raise EngineError("runtime openvino", why, "reinstall openvino, or use --runtime torch") from error
    from engines.runtime.torch_reference import TorchEngine

    return TorchEngine(style, why=why)
