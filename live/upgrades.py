"""Builds better engines in processes of their own while the picture runs, tries them, and puts them in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.build_process import BuildError, BuildProcess, BuildStoppedError
from engines.builder import Order, orders
from engines.cache_entry import verdict
from engines.errors import VeneerError
from engines.runtime.base import Engine, EngineInfo, first_line
from engines.runtime.choose import open_engine
from engines.runtime.exchange import ExchangeableEngine
from engines.styles import Style
from live.trial import answers, flaw_of, trial_regions

Wanted = Callable[[Style, EngineInfo, str], Sequence[Order]]

_JOIN_S = 0.7
_STEPS = {  # what builders call their steps: what a person reads
    "set": "collecting pictures",
    "quantise": "quantising",
    "judge": "comparing with FP32",
    "build": "at work",
    "check": "comparing with FP32",
    "done": "trying it",
}


@dataclass
class Made:
    """An engine of the wardrobe, and what it needs to be exchanged.

    Attributes:
        engine: shared by all looks that wear the style at this size.
        answers: what the first engine gave for `trial_regions`.
        stands: the runtime and precision that were put in; another one runs where an engine fell back by itself.
    """

    style: Style
    engine: ExchangeableEngine
    answers: NDArray[np.float16]
    stands: tuple[str, str]

    @property
    def fell_back(self) -> bool:
        """Whether something worse than what was put in runs now."""
        return self.stands != kind(self.engine.info)


def kind(info: EngineInfo) -> tuple[str, str]:
    """Runtime and precision."""
    return info.runtime, info.precision


class Upgrades:
    """One engine after the other, in a thread of its own, until nothing better can be built.

    What fails leaves the engine that runs where it is, and is said in one line.

    Args:
        made: asked for the engines, those first that matter most now.
        runtime: as the user named it.
        say: takes one line for the person at the terminal.
        wanted: what could be built for a style in place of the engine that runs.
    """

    def __init__(
        self,
        made: Callable[[], Sequence[Made]],
        *,
        runtime: str,
        say: Callable[[str], None],
        wanted: Wanted = orders,
    ) -> None:
        self._made, self._runtime, self._say, self._wanted = made, runtime, say, wanted
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

    def _loop(self) -> None:
        while not self._over.is_set():
            try:
                found = self._next()
                if found is None:
                    return
                self._upgrade(*found)
            except BuildStoppedError:
                return
            except Exception as error:  # whatever it is, the picture goes on
                self._say(f"no better engine is built any more: {type(error).__name__}: {first_line(error)}")
                return
            finally:
                self._progress = ""

    def _next(self) -> tuple[Made, Order] | None:
        for made in self._made():
            for order in () if made.fell_back else self._wanted(made.style, made.engine.info, self._runtime):
                key = made.style.name, made.style.size_wh, order.label
                if key not in self._tried:
                    self._tried.add(key)
                    return made, order
        return None

    def _upgrade(self, made: Made, order: Order) -> None:
        before = " ".join(kind(made.engine.info))
        what = f"{order.label} of {made.style.name}"
        try:
            self._run(order, f"building {made.style.name} {order.label}")
            better = _opened(made, order)
        except BuildError as error:
            self._say(f"{what} is not used: {error}; {before} goes on")
            return
        if self._over.is_set() or made.fell_back:
            better.close()
            return
        made.stands = kind(better.info)
        made.engine.exchange(better)
        self._say(f"style {made.style.name} runs on {' '.join(made.stands)} from now on, before on {before}")

    def _run(self, order: Order, words: str) -> None:
        """Raises BuildError or BuildStoppedError, as `BuildProcess.run`."""

        def told(step: str) -> None:
            word, _, count = step.partition(" ")
            self._progress = f"{words}: {' '.join(filter(None, (_STEPS.get(word, word), count)))}"

        self._progress = words
        build = BuildProcess(order.module, order.arguments, limit_s=order.limit_s, told=told)
        with self._changing:
            self._build = build
            if self._over.is_set():
                raise BuildStoppedError
        build.run()


def _opened(made: Made, order: Order) -> Engine:
    """The engine that was built, warm.

    Raises:
        BuildError: it cannot be opened, is not what was ordered, or paints what it should not.
    """
    style = made.style
    try:
        engine = open_engine(style, runtime=order.runtime, build=False, convert=False)
    except Exception as error:
        why = error.got if isinstance(error, VeneerError) else f"it fails ({first_line(error)})"
        raise BuildError(why) from error
    try:
        flaw = "" if order.fits(engine.info) else f"it gives {' '.join(kind(engine.info))} ({engine.info.why})"
        said = verdict(engine.info.key)
        flaw = flaw or (f"calibration {said}" if said.startswith("failed") else "")
        flaw = flaw or flaw_of(answers(engine, trial_regions(style)), made.answers)
    except Exception as error:
        flaw = f"it fails ({first_line(error)})"
    if flaw:
        engine.close()
        raise BuildError(flaw)
    return engine
