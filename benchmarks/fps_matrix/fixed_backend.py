"""A look whose engines all run in one named backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.fps_matrix.plan import AUTO
from calibration.engine_checks.verdicts import backends
from engines.errors import EngineError
from engines.looks import Look
from engines.runtime.base import Engine, EngineInfo, NotUsableError
from engines.styles import Style
from engines.text import first_line
from live.render.look_loader import LookLoader


class FixedBackendLoader(LookLoader):
    """Look loader with one look, whose engines run in the named backend of `plan.BACKENDS` or not at all.

    No engine is built in the background, so the engines do not change during the measurement.
    """

    def __init__(self, look: Look, backend: str, *, say: Callable[[str], None]) -> None:
        super().__init__({look.name: look}, runtime=backend.split()[0], say=say)
        self._look, self._backend = look, backend

    def prepare_engines(self) -> tuple[EngineInfo, ...]:
        """Prepare the look and return its engines. Raises NotUsableError if the backend is not available here."""
        try:
            self.load(self._look.name)
        except EngineError as error:
            raise NotUsableError(f"{error.asked}: {error.got}") from error
        except (ImportError, OSError, RuntimeError) as error:
            raise NotUsableError(first_line(error)) from error
        return self.engines(self._look.name)

    def _open(self, style: Style) -> Engine:
        return super()._open(style) if self._backend == AUTO else open_backend(style, self._backend)


def open_backend(style: Style, name: str) -> Engine:
    """Open the style's engine in a backend of `plan.BACKENDS` other than "auto"; errors as in `Backend.open`."""
    if name == "torch fp32 on CPU":
        from engines.runtime.torch.reference_engine import TorchEngine

        return TorchEngine(style, why="selected")
    return next(one for one in backends(style) if one.name == name.removesuffix(" on GPU")).open()


def backend_of(info: EngineInfo) -> str:
    """Return the name of the backend in which an engine runs."""
    place = (" on CPU" if info.device == "CPU" else " on GPU") if info.runtime == "torch" else ""
    return f"{info.runtime} {info.precision}{place}"


def backends_text(infos: Sequence[EngineInfo]) -> str:
    """Return the names of the backends of all engines of a look."""
    return " + ".join(dict.fromkeys(map(backend_of, infos))) or "no network"


def fallback_text(infos: Sequence[EngineInfo], backend: str) -> str:
    """Describe the first engine that does not run in the requested backend; empty if all do."""
    for info in infos:
        if backend not in (AUTO, backend_of(info)):
            return f"requested {backend}, but {info.style} ran on {backend_of(info)}: {info.why}"
    return ""
