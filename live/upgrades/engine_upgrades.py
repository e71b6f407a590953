"""Builds better engines in processes of their own while the picture runs, tries them, and puts them in."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.build import failed_builds
from engines.build.build_orders import BuildOrder, available_builds
from engines.build.build_process import BuildError, BuildProcess, BuildStoppedError
from engines.runtime.base import EngineInfo
from engines.runtime.hot_swap import HotSwapEngine
from engines.styles import Style
from engines.text import first_line
from live.upgrades.engine_acceptance import opened
from live.upgrades.upgrade_messages import UpgradeMessages, not_again, not_built, step_in_words

Wanted = Callable[[Style, EngineInfo, str], Sequence[BuildOrder]]

_JOIN_S = 0.7
_LOOK_S = 0.5  # how often it is asked whether somebody watches


@dataclass
class Made:
    """An engine of the wardrobe, and what it needs to be exchanged.

    Attributes:
        engine: shared by all looks that wear the style at this size.
        answers: what the first engine gave for `trial_regions`.
        stands: the runtime and precision that were put in; another one runs where an engine fell back by itself.
    """

    style: Style
    engine: HotSwapEngine
    answers: NDArray[np.float16]
    stands: tuple[str, str]

    @property
    def fell_back(self) -> bool:
        """Whether something worse than what was put in runs now."""
        return self.stands != kind(self.engine.info)


def kind(info: EngineInfo) -> tuple[str, str]:
    """Runtime and precision."""
    return info.runtime, info.precision


class EngineUpgrades:
    """One engine after the other, in a thread of its own, until nothing better can be built.

    What fails leaves the engine that runs where it is, is said in one line, and is not tried again for a week.

    Args:
        made: asked for the engines, those first that matter most now.
        runtime: as the user named it.
        say: takes one line for the person at the terminal.
        wanted: what could be built for a style in place of the engine that runs.
        build: whether to; else only one line says what could be.
        watched: whether somebody watches: while nobody does nothing is built, and what was being built is begun anew
            afterwards. None where that is not known: it is built in any case.
    """

    def __init__(
        self,
        made: Callable[[], Sequence[Made]],
        *,
        runtime: str,
        say: Callable[[str], None],
        wanted: Wanted = available_builds,
        build: bool = True,
        watched: Callable[[], bool] | None = None,
    ) -> None:
        self._made, self._runtime, self._say, self._wanted, self._may = made, runtime, say, wanted, build
        self._watched = watched
        self._news = UpgradeMessages(say)
        self._tried: set[tuple[str, tuple[int, int], str]] = set()
        self._over = threading.Event()
        self._build: BuildProcess | None = None
        self._changing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._progress = ""

    def start(self) -> None:
        """Begin; once."""
        with self._changing:
            if self._thread is None and not self._over.is_set():
                self._thread = threading.Thread(target=self._loop, name="upgrades", daemon=True)
                self._thread.start()

    def progress(self) -> str:
        """What is being built now, or nothing: "building toon OpenVINO INT8: collecting pictures 3/32"."""
        return self._progress

    def busy(self) -> bool:
        """Whether something is being built, or will be."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def close(self) -> None:
        """Stop, and end a build at once with all its processes; idempotent."""
        self._over.set()
        with self._changing:
            build, thread = self._build, self._thread
        if build is not None:
            build.stop()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_JOIN_S)

    def coming(self, made: Made) -> set[str]:
        """The runtimes of what is to be built in place of that one."""
        return {order.runtime for _, order in self._open_orders([made])} if self._may else set()

    def _loop(self) -> None:
        last: tuple[str, str] | None = None
        while not self._over.is_set():
            try:
                pending = self._pending()
                same = [one for one in pending if _about(*one) == last]  # its other sizes: they are said together
                if not same:
                    self._tell()
                if not pending:
                    return
                if self._rested():
                    continue  # meanwhile something else may be worn
                made, order = (same or pending)[0]
                last = _about(made, order)
                self._upgrade(made, order)
                self._tried.add(_tag(made, order))
            except BuildStoppedError:
                pass  # at the end, or because nobody watches: then it is still to be built
            except Exception as error:  # whatever it is, the picture goes on
                self._tell()
                self._say(f"no better engine is built any more: {type(error).__name__}: {first_line(error)}")
                return
            finally:
                self._progress = ""

    def _rested(self) -> bool:
        """Wait while nobody watches; whether there was anything to wait for."""
        rested = False
        while self._watched is not None and not self._watched():
            rested = True
            if self._over.wait(_LOOK_S):
                break
        return rested

    def _tell(self) -> None:
        self._news.tell(made.style for made in self._made())

    def _pending(self) -> list[tuple[Made, BuildOrder]]:
        """What is to be built now. What is not, because it failed lately or nothing is to be built, is said once."""
        found = self._open_orders(self._made())
        if not self._may:
            if found:
                self._say(not_built((made.style, order) for made, order in found))
            return []
        failed = []
        for made, order in tuple(found):
            failure = failed_builds.find_failure(order.current_key())
            if failure is not None:
                failed.append(failure)
                found.remove((made, order))
                self._tried.add(_tag(made, order))
        if failed:
            self._say(not_again(failed))
        return found

    def _open_orders(self, among: Sequence[Made]) -> list[tuple[Made, BuildOrder]]:
        return [
            (made, order)
            for made in among
            for order in (() if made.fell_back else self._wanted(made.style, made.engine.info, self._runtime))
            if _tag(made, order) not in self._tried
        ]

    def _upgrade(self, made: Made, order: BuildOrder) -> None:
        before = " ".join(kind(made.engine.info))
        try:
            self._run(order, f"building {made.style.name} {order.label}")
            better = opened(made.style, order, before=made.answers)
        except BuildError as error:
            self._news.refused(made.style, order.label, why=str(error), stays=before)
            if error.permanent:
                failed_builds.record_failure(order.current_key(), order.label, made.style, str(error))
            return
        if self._over.is_set() or made.fell_back:
            better.close()
            return
        made.stands = kind(better.info)
        made.engine.swap(better)
        now = " ".join(made.stands)
        self._news.changed(made.style, before=before, now=now, holds=lambda: " ".join(kind(made.engine.info)) == now)

    def _run(self, order: BuildOrder, words: str) -> None:
        """Raises BuildError or BuildStoppedError, as `BuildProcess.run`."""

        def told(step: str) -> None:
            self._progress = f"{words}: {step_in_words(step)}"

        self._progress = words
        build = BuildProcess(order.builder, order.arguments, limit_s=order.limit_s, on_step=told)
        with self._changing:
            self._build = build
            if self._over.is_set():
                raise BuildStoppedError
        with self._ended_unwatched(build):
            build.run()

    @contextlib.contextmanager
    def _ended_unwatched(self, build: BuildProcess) -> Iterator[None]:
        """Inside it, the build is ended once nobody watches."""
        over = threading.Event()

        def look(watched: Callable[[], bool]) -> None:
            while not over.wait(_LOOK_S):
                if not watched():
                    build.stop()
                    return

        if self._watched is not None:
            threading.Thread(target=look, args=(self._watched,), name="build watch", daemon=True).start()
        try:
            yield
        finally:
            over.set()


def _tag(made: Made, order: BuildOrder) -> tuple[str, tuple[int, int], str]:
    return made.style.name, made.style.size_wh, order.label


def _about(made: Made, order: BuildOrder) -> tuple[str, str]:
    return made.style.name, order.label
