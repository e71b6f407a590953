"""Builds better engines in separate processes while frames are rendered, tests them, and swaps them in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.build import failed_builds
from engines.build.build_orders import BuildOrder, available_builds
from engines.build.build_process import BuildError, BuildProcess, BuildStoppedError
from engines.runtime.base import EngineInfo
from engines.runtime.hot_swap import HotSwapEngine
from engines.styles import Style
from engines.text import one_line
from live.upgrades.engine_acceptance import open_accepted
from live.upgrades.upgrade_messages import describe_step, not_built_message, skipped_message

AvailableBuilds = Callable[[Style, EngineInfo, str], Sequence[BuildOrder]]

_JOIN_TIMEOUT_S = 0.7
_POLL_INTERVAL_S = 0.5  # of the viewers


@dataclass
class LoadedEngine:
    """An engine of the look loader.

    Attributes:
        engine: Shared by all looks that use the style at this size.
        reference: `acceptance_outputs` of the engine that was opened first.
        installed: Runtime and precision of the engine that was put in last.
    """

    style: Style
    engine: HotSwapEngine
    reference: NDArray[np.float16]
    installed: tuple[str, str]

    @property
    def fell_back(self) -> bool:
        """Whether the installed engine failed and a fallback runs."""
        return self.installed != runtime_and_precision(self.engine.info)


def runtime_and_precision(info: EngineInfo) -> tuple[str, str]:  # noqa: D103
    return info.runtime, info.precision


_Build = tuple[LoadedEngine, BuildOrder]


class EngineUpgrades:
    """Builds one engine after another in a background thread, until no better one is available.

    A failed build is reported in one line, leaves the engine in use unchanged, and is not repeated for a week.

    Args:
        engines: Returns the engines in use, those to upgrade first at the front.
        available_builds: Returns the builds that could replace an engine.
        build: Whether to build; otherwise one message lists what could be built.
        has_viewers: Whether the output is watched. Builds wait until it is; a build that is running when the last
            viewer leaves is stopped and repeated later. None if unknown: builds do not wait.
    """

    def __init__(
        self,
        engines: Callable[[], Sequence[LoadedEngine]],
        *,
        runtime: str,
        say: Callable[[str], None],
        available_builds: AvailableBuilds = available_builds,
        build: bool = True,
        has_viewers: Callable[[], bool] | None = None,
    ) -> None:
        self._engines, self._runtime, self._say = engines, runtime, say
        self._available_builds, self._enabled = available_builds, build
        self._has_viewers = has_viewers or (lambda: True)
        self._tried: set[tuple[str, tuple[int, int], str]] = set()
        self._closed = threading.Event()
        self._process: BuildProcess | None = None
        self._lock = threading.Lock()  # guards the start of a process or thread against `close`
        self._thread: threading.Thread | None = None
        self._progress = ""

    def start(self) -> None:
        """Start the background thread, once."""
        with self._lock:
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(target=self._loop, name="engine upgrades", daemon=True)
                self._thread.start()

    def progress(self) -> str:
        """Return the running build and its step ("building toon OpenVINO INT8: quantising 3/32"), or ""."""
        return self._progress

    def is_running(self) -> bool:
        """Whether a build is running or will be started."""
        return self._thread is not None and self._thread.is_alive()

    def close(self) -> None:
        """Stop the running build with all its processes, and the thread; idempotent."""
        self._closed.set()
        with self._lock:
            process, thread = self._process, self._thread
        if process is not None:
            process.stop()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_JOIN_TIMEOUT_S)

    def planned_runtimes(self, engine: LoadedEngine) -> set[str]:
        """Return the runtimes of the builds that will be started for an engine."""
        return {order.runtime for _, order in self._open_builds([engine])} if self._enabled else set()

    def _loop(self) -> None:
        while not self._closed.is_set():
            try:
                pending = self._pending()
                if not pending:
                    return
                if self._waited_for_viewers():
                    continue  # another look may be selected now
                engine, order = pending[0]
                self._upgrade(engine, order)
                self._tried.add(_build_id(engine, order))
            except BuildStoppedError:
                pass  # closed, or no viewers: the build stays pending
            except Exception as error:
                self._say(f"building better engines stopped: {one_line(error)}")
                return
            finally:
                self._progress = ""

    def _waited_for_viewers(self) -> bool:
        """Wait until there are viewers or the upgrades are closed; return whether waiting was necessary."""
        waited = False
        while not self._closed.is_set() and not self._has_viewers():
            waited = True
            self._closed.wait(_POLL_INTERVAL_S)
        return waited

    def _pending(self) -> list[_Build]:
        """Return the builds to run now; report once those that are disabled, or skipped after a recent failure."""
        builds = self._open_builds(self._engines())
        if not self._enabled:
            if builds:
                self._say(not_built_message((engine.style, order) for engine, order in builds))
            return []
        failures, pending = [], []
        for engine, order in builds:
            failure = failed_builds.find_failure(order.current_key())
            if failure is None:
                pending.append((engine, order))
            else:
                failures.append(failure)
                self._tried.add(_build_id(engine, order))
        if failures:
            self._say(skipped_message(failures))
        return pending

    def _open_builds(self, engines: Sequence[LoadedEngine]) -> list[_Build]:
        return [
            (engine, order)
            for engine in engines
            if not engine.fell_back
            for order in self._available_builds(engine.style, engine.engine.info, self._runtime)
            if _build_id(engine, order) not in self._tried
        ]

    def _upgrade(self, engine: LoadedEngine, order: BuildOrder) -> None:
        style, old = engine.style, " ".join(runtime_and_precision(engine.engine.info))
        sizes = {other.style.size_wh for other in self._engines() if other.style.name == style.name}
        name = style.name if len(sizes) == 1 else "{} {}x{}".format(style.name, *style.size_wh)
        try:
            self._run_build(order, f"building {style.name} {order.label}")
            better = open_accepted(style, order, reference=engine.reference)
        except BuildError as error:
            if error.permanent:
                failed_builds.record_failure(order.current_key(), order.label, style, str(error))
            self._say(f"{order.label} of {name} is not used: {error}; {old} stays in use")
            return
        if self._closed.is_set() or engine.fell_back:
            better.close()
            return
        engine.installed = runtime_and_precision(better.info)
        engine.engine.swap(better)
        self._say(f"style {name} now runs on {' '.join(engine.installed)}, before on {old}")

    def _run_build(self, order: BuildOrder, text: str) -> None:
        """Run the build to its end. Raises BuildError, or BuildStoppedError after the last viewer left."""

        def on_step(step: str) -> None:
            self._progress = f"{text}: {describe_step(step)}"

        self._progress = text
        process = BuildProcess(order.builder, order.arguments, limit_s=order.limit_s, on_step=on_step)
        with self._lock:
            self._process = process
            if self._closed.is_set():
                raise BuildStoppedError
        finished = threading.Event()

        def stop_without_viewers() -> None:
            while not finished.wait(_POLL_INTERVAL_S):
                if not self._has_viewers():
                    process.stop()
                    return

        threading.Thread(target=stop_without_viewers, name="build viewers", daemon=True).start()
        try:
            process.run()
        finally:
            finished.set()


def _build_id(engine: LoadedEngine, order: BuildOrder) -> tuple[str, tuple[int, int], str]:
    return engine.style.name, engine.style.size_wh, order.label
