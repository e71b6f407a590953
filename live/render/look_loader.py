"""Makes looks ready aside, so that a switch in the loop is a look-up."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from engines.build.build_orders import available_builds
from engines.errors import EngineError, VeneerError
from engines.generators.shade import Shade
from engines.looks import Layer, Look
from engines.runtime.base import Engine, EngineInfo, RegionsError
from engines.runtime.fallback_policy import fallback_engine
from engines.runtime.hot_swap import HotSwapEngine
from engines.runtime.selector import RuntimeNotUsableError, open_engine, unused_choice
from engines.styles import Style
from live.diagnostics.engine_status import unused_gpu
from live.upgrades.engine_acceptance import answers, trial_regions
from live.upgrades.engine_upgrades import EngineUpgrades, Made, Wanted, kind


@dataclass(frozen=True, slots=True)
class ReadyLayer:
    """A layer that can paint now: exactly one of `engine` and `shade` is there.

    Attributes:
        size_wh: the crop the engine takes; None for a shade, which paints at the mouth's own resolution.
        usual_bgr: the mean colour of the lips that the engine's generator was trained on.
        region: see `Style`.
        output: see `Style`.
    """

    strength: float
    engine: Engine | None
    shade: Shade | None
    size_wh: tuple[int, int] | None
    usual_bgr: tuple[float, float, float] | None = None
    region: str = "lips"
    output: str = "change"


@dataclass(frozen=True, slots=True)
class ReadyLook:
    """A look all of whose layers can paint now."""

    look: Look
    layers: tuple[ReadyLayer, ...]

    @property
    def wants_person(self) -> bool:
        """Whether a layer needs to know which pixels show a person, or it must be known who is there and not drawn."""
        return self.look.wants_person

    @property
    def covers(self) -> bool:
        """Whether a layer hides the face."""
        return any(layer.output == "picture" for layer in self.layers)


class LookLoader:
    """All looks of a run, each made ready once, in whatever thread asks first; engines are shared between looks.

    Args:
        looks: by name.
        runtime: as `open_engine` takes it. One that cannot be used is said once, and the best that can be is taken.
        say: takes one line for the person at the terminal.
        aside: the picture must come soon and stay smooth: each style runs on what is ready at once, and what has to be
            built or loaded is made aside and exchanged. Else (a film has time) it is waited for.
        wanted: what could be built in place of an engine that runs.
        build: whether it is built aside; else one line says what could be.
        watched: see `EngineUpgrades`.
    """

    def __init__(
        self,
        looks: Mapping[str, Look],
        *,
        runtime: str,
        say: Callable[[str], None],
        aside: bool = False,
        wanted: Wanted = available_builds,
        build: bool = True,
        watched: Callable[[], bool] | None = None,
    ) -> None:
        self._looks, self._runtime, self._say, self._aside = looks, runtime, say, aside
        self._engines: dict[tuple[str, tuple[int, int]], Made] = {}
        self._ready: dict[str, ReadyLook] = {}
        self._making = threading.Lock()
        self._closed = False
        self._wanted = ""  # the look that was asked for last: what it wears is improved first
        self._refused = ""
        self._lost = False  # that something else runs than was chosen for this machine is said once
        self._idle_gpu = False  # so is that a GPU is there and not used
        self._mended: set[str] = set()  # what errors call the styles whose engine failed, and for which another goes on
        self.upgrades = EngineUpgrades(
            self._by_urgency, runtime=runtime, say=say, wanted=wanted, build=build, watched=watched
        )

    @property
    def looks(self) -> Mapping[str, Look]:
        """All looks by name, ready or not."""
        return self._looks

    def wants_person(self, name: str) -> bool:
        """Whether that look, ready or not, needs to know which pixels show a person."""
        look = self._looks.get(name)
        return look is not None and look.wants_person

    def ready(self, name: str) -> ReadyLook | None:
        """The look, if it is ready now; never waits."""
        self._wanted = name
        return self._ready.get(name)

    def prepare(self, name: str) -> ReadyLook:
        """Make a look ready, and wait for it.

        Raises:
            EngineError: a generator of it cannot be made ready.
        """
        with self._making:
            self._wanted = self._wanted or name
            if name not in self._ready:
                look = self._looks[name]
                self._ready[name] = ReadyLook(look, tuple(self._layer(layer) for layer in look.layers))
            return self._ready[name]

    def prepare_all(self) -> None:
        """Make all looks ready, one after the other; says of each that fails why, and goes on.

        Where that is wanted, better engines are built from then on.
        """
        for name in self._looks:
            if self._closed:
                return
            try:
                self.prepare(name)
            except VeneerError as error:
                self._say(f"look {name} is not available: {error}")
        if self._aside:
            self.upgrades.start()

    def progress(self) -> str:
        """What is being built now, in a few words; nothing where nothing is."""
        return self.upgrades.progress()

    def _layer(self, layer: Layer) -> ReadyLayer:
        style = layer.style
        if isinstance(style, Shade):
            return ReadyLayer(layer.strength, None, style, None)
        key = style.name, style.size_wh
        if key not in self._engines:
            self._engines[key] = self._made(style)
        engine = self._engines[key].engine
        return ReadyLayer(layer.strength, engine, None, style.size_wh, style.usual_bgr, style.region, style.output)

    def _made(self, style: Style) -> Made:
        engine = self._open(style)
        given = answers(engine, trial_regions(style))  # the first calls are the slow ones

        def failed(info: EngineInfo, error: EngineError) -> bool:
            if not self._aside:
                return self._fall_back(made, info, error)
            self._mended.add(error.asked)
            threading.Thread(target=self._fall_back, args=(made, info, error), name="safer", daemon=True).start()
            return False

        kept = given.astype(np.float16)  # half the memory, and a tenth of a step is near enough
        made = Made(style, HotSwapEngine(engine, on_failure=failed), kept, kind(engine.info))
        self._say_lost(made)
        return made

    def _say_lost(self, made: Made) -> None:
        if self._runtime not in ("auto", "torch") or (self._lost and self._idle_gpu):
            return
        info, coming = made.engine.info, self.upgrades.coming(made) if self._aside else ()
        if self._runtime == "auto" and not self._lost and (line := unused_choice(made.style, info, coming)):
            self._lost = True
            self._say(line)
        if not self._idle_gpu and (line := unused_gpu(info, coming)):
            self._idle_gpu = True
            self._say(line if self._runtime == "auto" else f"{line} (veneer doctor says what to do)")

    def _open(self, style: Style) -> Engine:
        build = self._runtime == "tensorrt" and not self._aside
        convert = not self._aside
        try:
            return open_engine(style, runtime=self._runtime, build=build, convert=convert)
        except RuntimeNotUsableError as error:
            if self._runtime == "auto":
                raise
            if not self._refused:
                self._say(f"{error}; the best that can be used here runs instead")
            self._refused = error.got
            return open_engine(style, build=False, convert=convert)

    def _fall_back(self, made: Made, failed: EngineInfo, error: EngineError) -> bool:
        """Put in what goes on for an engine that failed; whether there was something."""
        try:
            safer = fallback_engine(made.style, failed, error)
            answers(safer, trial_regions(made.style))
        except Exception as none:
            self._mended.discard(error.asked)
            self._say(f"{error}; nothing can go on for it ({none})")
            return False
        made.engine.swap(safer)
        self._say(f"{error}: {' '.join(kind(safer.info))} on {safer.info.device} goes on")
        return True

    def mends(self, error: Exception) -> bool:
        """Whether that is an engine's failure for which another one goes on, now or soon: this is said here."""
        called_wrongly = isinstance(error, RegionsError)  # which is no failure of the engine's
        return isinstance(error, EngineError) and not called_wrongly and error.asked in self._mended

    def _by_urgency(self) -> list[Made]:
        ready = self._ready.get(self._wanted)
        first = [layer.engine for layer in ready.layers] if ready else []
        return sorted(self._engines.values(), key=lambda made: made.engine not in first)

    def engines(self, name: str | None = None) -> tuple[EngineInfo, ...]:
        """What the engines that are ready really run on: of one look, or of all."""
        if name is not None:
            ready = self._ready.get(name)
            return tuple(layer.engine.info for layer in ready.layers if layer.engine) if ready else ()
        return tuple(made.engine.info for made in tuple(self._engines.values()))

    def close(self) -> None:
        """Let go of all engines, and end what is being built; idempotent."""
        self._closed = True
        self.upgrades.close()
        for made in tuple(self._engines.values()):
            with contextlib.suppress(Exception):  # one that cannot be closed is no reason to keep the others open
                made.engine.close()
