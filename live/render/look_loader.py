"""Loads looks in the background, so that a switch in the frame loop is a dictionary lookup."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engines.build.build_orders import available_builds
from engines.errors import EngineError, VeneerError
from engines.generators.shade import Shade
from engines.looks import Layer, Look
from engines.runtime.base import Engine, EngineInfo, RegionsError
from engines.runtime.fallback_policy import fallback_engine
from engines.runtime.hot_swap import HotSwapEngine
from engines.runtime.openers import open_openvino
from engines.runtime.selector import RuntimeNotUsableError, open_engine, unused_choice
from engines.styles import Style
from live.diagnostics.engine_status import unused_gpu
from live.upgrades.engine_acceptance import acceptance_outputs, acceptance_regions, defect_of_shipped
from live.upgrades.engine_upgrades import AvailableBuilds, EngineUpgrades, LoadedEngine, runtime_and_precision

Precisions = Mapping[str, tuple[str, str]]
"""Runtime and precision by the name of a style."""


@dataclass(frozen=True, slots=True)
class LoadedLayer(Layer):
    """A layer that is ready to paint; a shade needs no engine."""

    engine: HotSwapEngine | None


@dataclass(frozen=True, slots=True)
class LoadedLook:
    """A look whose layers are all ready to paint."""

    look: Look
    layers: tuple[LoadedLayer, ...]

    @property
    def needs_person(self) -> bool:
        """Whether frames need a person mask, for a layer or to detect people who are not drawn."""
        return self.look.needs_person

    @property
    def covers(self) -> bool:
        """Whether a layer hides the face."""
        return any(layer.covers for layer in self.layers)


class LookLoader:
    """Loads each look of a run once, in the thread that asks first; looks share engines.

    Args:
        looks: by name.
        runtime: see `open_engine`. If it cannot be used, one message says so and the best usable runtime is used.
        say: receives one-line messages for the user.
        background: open each style with the fastest engine that is ready now, and build, convert or replace engines
            in background threads (live runs); otherwise wait for them (films).
        available_builds: returns the builds that could replace an engine.
        build: whether to run those builds; otherwise one message lists them.
        has_viewers: see `EngineUpgrades`.
        precisions: by style name, the runtime and the precision to use; other styles take the best.

    Attributes:
        failures: why a look cannot be loaded, by its name.
    """

    def __init__(
        self,
        looks: Mapping[str, Look],
        *,
        runtime: str,
        say: Callable[[str], None],
        background: bool = False,
        available_builds: AvailableBuilds = available_builds,
        build: bool = True,
        has_viewers: Callable[[], bool] | None = None,
        precisions: Precisions | None = None,
    ) -> None:
        self._precisions = precisions or {}
        self._looks, self._runtime, self._say, self._background = dict(looks), runtime, say, background
        self._engines: dict[tuple[str, tuple[int, int]], LoadedEngine] = {}  # by style name and input size
        self._loaded: dict[str, LoadedLook] = {}
        self.failures: dict[str, str] = {}
        self._loading = threading.Lock()
        self._closed = False
        self._selected = ""  # its engines are upgraded first
        self._said: set[str] = set()  # kinds of messages that are shown once
        self._replacing: set[str] = set()  # styles, as named in errors, whose failed engine is being replaced
        self.upgrades = EngineUpgrades(
            self._by_priority,
            runtime=runtime,
            say=say,
            available_builds=available_builds,
            build=build,
            has_viewers=has_viewers,
        )

    @property
    def looks(self) -> Mapping[str, Look]:
        """All looks by name, loaded or not."""
        return self._looks

    def needs_person(self, name: str) -> bool:
        """Whether that look, loaded or not, needs a person mask."""
        look = self._looks.get(name)
        return look is not None and look.needs_person

    def needs_everyone(self, name: str) -> bool:
        """Whether every person must be found for that look, loaded or not; see `Look.needs_everyone`."""
        look = self._looks.get(name)
        return look is not None and look.needs_everyone

    def needs_hands(self, name: str) -> bool:
        """Whether hands before faces must be found for that look, loaded or not; see `Look.needs_hands`."""
        look = self._looks.get(name)
        return look is not None and look.needs_hands

    def get(self, name: str) -> LoadedLook | None:
        """Return the look if it is loaded; never blocks."""
        self._selected = name
        return self._loaded.get(name)

    def is_loaded(self, name: str) -> bool:
        """Whether the look is loaded; never blocks."""
        return name in self._loaded

    def load(self, name: str) -> LoadedLook:
        """Load a look and return it.

        Raises:
            EngineError: An engine cannot be opened.
        """
        with self._loading:
            self._selected = self._selected or name
            if name not in self._loaded:
                look = self._looks[name]
                self._loaded[name] = LoadedLook(look, tuple(self._load_layer(layer) for layer in look.layers))
            return self._loaded[name]

    def put(self, look: Look) -> None:
        """Load a look that is new or was changed, and use it from the next frame on.

        Raises:
            EngineError: An engine cannot be opened; nothing is changed.
        """
        with self._loading:
            loaded = LoadedLook(look, tuple(self._load_layer(layer) for layer in look.layers))
            self._looks[look.name] = look
            self._loaded[look.name] = loaded
            self.failures.pop(look.name, None)

    def load_all(self) -> None:
        """Load all looks, with one message for each that fails; then start the upgrades of background loaders."""
        for name in tuple(self._looks):
            if self._closed:
                return
            try:
                self.load(name)
            except VeneerError as error:
                self.failures[name] = str(error)
                self._say(f"look {name} is not available: {error}")
        if self._background:
            self.upgrades.start()

    def is_replacing_engine(self, error: Exception) -> bool:
        """Whether the error is an engine failure for which another engine takes over, as reported by the loader."""
        is_failure = isinstance(error, EngineError) and not isinstance(error, RegionsError)
        return is_failure and error.asked in self._replacing  # type: ignore[attr-defined]

    def engines(self, name: str | None = None) -> tuple[EngineInfo, ...]:
        """Return what the loaded engines run on: of one look, or of all."""
        if name is not None:
            loaded = self._loaded.get(name)
            return tuple(layer.engine.info for layer in loaded.layers if layer.engine) if loaded else ()
        return tuple(loaded.engine.info for loaded in tuple(self._engines.values()))

    def close(self) -> None:
        """Stop the upgrades and close all engines; idempotent."""
        self._closed = True
        self.upgrades.close()
        for loaded in tuple(self._engines.values()):
            with contextlib.suppress(Exception):  # the other engines must be closed all the same
                loaded.engine.close()

    def _load_layer(self, layer: Layer) -> LoadedLayer:
        style = layer.style
        who: dict[str, Any] = {"medium": layer.medium, "only": layer.only, "excepted": layer.excepted}
        if isinstance(style, Shade):
            return LoadedLayer(style, layer.strength, None, **who)
        key = style.name, style.size_wh
        if key not in self._engines:
            self._engines[key] = self._load_engine(style)
        return LoadedLayer(style, layer.strength, self._engines[key].engine, **who)

    def _load_engine(self, style: Style) -> LoadedEngine:
        engine = self._open(style)
        outputs = acceptance_outputs(engine, acceptance_regions(style))  # also warms the engine up
        if defect_of_shipped(engine, outputs, style):  # the verdict is recorded: the next engine is opened
            engine.close()
            engine = self._open(style)
            outputs = acceptance_outputs(engine, acceptance_regions(style))

        def on_failure(info: EngineInfo, error: EngineError) -> bool:
            if not self._background:
                return self._replace_failed(loaded, info, error)
            self._replacing.add(error.asked)
            arguments = loaded, info, error
            threading.Thread(target=self._replace_failed, args=arguments, name="engine fallback", daemon=True).start()
            return False

        hot_swap = HotSwapEngine(engine, on_failure=on_failure)
        loaded = LoadedEngine(style, hot_swap, outputs.astype(np.float16), runtime_and_precision(engine.info))
        self._report_unused_runtimes(loaded)
        return loaded

    def _open(self, style: Style) -> Engine:
        wait = not self._background
        if style.name in self._precisions:
            runtime, precision = self._precisions[style.name]
            if runtime == "openvino":
                return open_openvino(style, precision=precision)
            return open_engine(style, runtime=runtime, build=wait, convert=wait)
        try:
            return open_engine(style, runtime=self._runtime, build=self._runtime == "tensorrt" and wait, convert=wait)
        except RuntimeNotUsableError as error:
            if self._runtime == "auto":
                raise
            self._say_once("runtime", f"{error}; using the best runtime that is usable here")
            return open_engine(style, build=False, convert=wait)

    def _replace_failed(self, loaded: LoadedEngine, failed: EngineInfo, error: EngineError) -> bool:
        """Replace a failed engine by its fallback; return whether there is one."""
        try:
            fallback = fallback_engine(loaded.style, failed, error)
            acceptance_outputs(fallback, acceptance_regions(loaded.style))
        except Exception as no_fallback:
            self._replacing.discard(error.asked)
            self._say(f"{error}; no fallback is available ({no_fallback})")
            return False
        loaded.engine.swap(fallback)
        runtime, precision = runtime_and_precision(fallback.info)
        self._say(f"{error}: falling back to {runtime} {precision} on {fallback.info.device}")
        return True

    def _report_unused_runtimes(self, loaded: LoadedEngine) -> None:
        """Say once if the runtime chosen by `veneer calibrate machine`, or a GPU, is not used."""
        if self._runtime not in ("auto", "torch"):
            return
        info, planned = loaded.engine.info, self.upgrades.planned_runtimes(loaded) if self._background else ()
        if self._runtime == "auto":
            self._say_once("choice", unused_choice(loaded.style, info, planned))
        if line := unused_gpu(info, planned):
            self._say_once("gpu", line if self._runtime == "auto" else f"{line} (veneer doctor says what to do)")

    def _say_once(self, kind: str, line: str) -> None:
        if line and kind not in self._said:
            self._said.add(kind)
            self._say(line)

    def _by_priority(self) -> list[LoadedEngine]:
        selected = self._loaded.get(self._selected)
        first = [layer.engine for layer in selected.layers] if selected else []
        return sorted(self._engines.values(), key=lambda loaded: loaded.engine not in first)
