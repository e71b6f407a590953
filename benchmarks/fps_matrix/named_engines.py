"""The engines that `benchmarks.fps` names: each look on exactly the runtime and precision that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from benchmarks.fps_matrix.plan import AUTO
from engines.errors import EngineError
from engines.looks import Look
from engines.runtime.base import Engine, EngineInfo, NotUsableError
from engines.styles import Style
from engines.text import first_line
from live.render.look_loader import LookLoader


class RefusedError(Exception):
    """A look cannot run in that way on this machine; says why in one line."""


class OneWay(LookLoader):
    """A wardrobe with one look, all of whose engines run in the way that was named, or not at all.

    Nothing is built aside, so what is measured stays what it is.

    Args:
        look: the look.
        way: the name of one of `WAYS`.
        say: takes one line for the person.
    """

    def __init__(self, look: Look, way: str, *, say: Callable[[str], None]) -> None:
        looks: Mapping[str, Look] = {look.name: look}
        super().__init__(looks, runtime=way.split()[0], say=say)
        self._look, self._way = look, way

    def prepared(self) -> tuple[EngineInfo, ...]:
        """Make the look ready; what it runs on.

        Raises:
            RefusedError: it cannot be had in that way here.
        """
        try:
            self.load(self._look.name)
        except NotUsableError as error:
            raise RefusedError(str(error)) from error
        except EngineError as error:
            raise RefusedError(f"{error.asked}: {error.got}") from error
        except (ImportError, OSError, RuntimeError) as error:
            raise RefusedError(first_line(error)) from error
        return self.engines(self._look.name)

    def _open(self, style: Style) -> Engine:
        return super()._open(style) if self._way == AUTO else open_named(style, self._way)


def open_named(style: Style, way: str) -> Engine:
    """The style's engine in one way; what is heavy is loaded only for the way that needs it.

    Raises:
        NotUsableError: this machine has no such engine.
        ImportError, OSError, RuntimeError: its library fails.
        EngineError: the weights are not usable.
    """
    runtime, precision, *device = way.split()
    if runtime == "openvino":
        from engines.runtime.openvino.cpu_engine import OpenVinoEngine

        return OpenVinoEngine(style, precision=precision)
    if device[-1:] == ["CPU"]:
        from engines.runtime.torch.reference_engine import TorchEngine

        return TorchEngine(style, why="it was named")
    from engines.runtime.torch.cuda_device import driver_device

    driver_device()  # before anything is loaded that a machine without a GPU does not need
    if runtime == "tensorrt":
        from engines.runtime.tensorrt.distribution import installed_distribution

        installed_distribution()
        from engines.runtime.tensorrt.tensorrt_engine import TensorRtEngine

        return TensorRtEngine(style)
    from engines.runtime.torch.cuda_engine import TorchCudaEngine

    return TorchCudaEngine(style, precision=precision)


def way_of(info: EngineInfo) -> str:
    """The name of the way in which an engine really runs."""
    place = (" on CPU" if info.device == "CPU" else " on GPU") if info.runtime == "torch" else ""
    return f"{info.runtime} {info.precision}{place}"


def ran_on(infos: Sequence[EngineInfo]) -> str:
    """The same for all engines of a look."""
    return " + ".join(dict.fromkeys(map(way_of, infos))) or "no network"


def strayed(infos: Sequence[EngineInfo], way: str) -> str:
    """One line where an engine is not what was asked for; else nothing."""
    other = [info for info in infos if way not in (AUTO, way_of(info))]
    return f"asked for {way}, but {other[0].style} ran on {way_of(other[0])}: {other[0].why}" if other else ""
