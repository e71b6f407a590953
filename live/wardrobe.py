"""Makes looks ready aside, so that a switch in the loop is a look-up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from engines.errors import VeneerError
from engines.generators.shade import Shade
from engines.looks import Layer, Look
from engines.runtime.base import Engine, EngineInfo
from engines.runtime.choose import open_engine


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
        """Whether a layer needs to know which pixels show a person."""
        return any(layer.region in ("head", "person") for layer in self.layers)

    @property
    def covers(self) -> bool:
        """Whether a layer hides the face."""
        return any(layer.output == "picture" for layer in self.layers)


class Wardrobe:
    """All looks of a run, each made ready once, in whatever thread asks first; engines are shared between looks."""

    def __init__(self, looks: Mapping[str, Look], *, runtime: str, say: Callable[[str], None]) -> None:
        self._looks, self._runtime, self._say = looks, runtime, say
        self._engines: dict[tuple[str, tuple[int, int]], Engine] = {}
        self._ready: dict[str, ReadyLook] = {}
        self._making = threading.Lock()
        self._closed = False

    def wants_person(self, name: str) -> bool:
        """Whether that look, ready or not, needs to know which pixels show a person."""
        look = self._looks.get(name)
        return look is not None and look.wants_person

    def ready(self, name: str) -> ReadyLook | None:
        """The look, if it is ready now; never waits."""
        return self._ready.get(name)

    def prepare(self, name: str) -> ReadyLook:
        """Make a look ready, and wait for it.

        Raises:
            EngineError: a generator of it cannot be made ready.
        """
        with self._making:
            if name not in self._ready:
                look = self._looks[name]
                self._ready[name] = ReadyLook(look, tuple(self._layer(layer) for layer in look.layers))
            return self._ready[name]

    def prepare_all(self) -> None:
        """Make all looks ready, one after the other; says of each that fails why, and goes on."""
        for name in self._looks:
            if self._closed:
                return
            try:
                self.prepare(name)
            except VeneerError as error:
                self._say(f"look {name} is not available: {error}")

    def _layer(self, layer: Layer) -> ReadyLayer:
        style = layer.style
        if isinstance(style, Shade):
            return ReadyLayer(layer.strength, None, style, None)
        key = style.name, style.size_wh
        if key not in self._engines:
            engine = open_engine(style, runtime=self._runtime, build=False)
            width, height = style.size_wh
            engine.infer(np.zeros((1, height, width, 3), np.uint8))  # the first call is the slow one
            self._engines[key] = engine
        engine = self._engines[key]
        return ReadyLayer(layer.strength, engine, None, style.size_wh, style.usual_bgr, style.region, style.output)

    def engines(self, name: str | None = None) -> tuple[EngineInfo, ...]:
        """What the engines that are ready really run on: of one look, or of all."""
        if name is not None:
            ready = self._ready.get(name)
            return tuple(layer.engine.info for layer in ready.layers if layer.engine) if ready else ()
        return tuple(engine.info for engine in tuple(self._engines.values()))

    def close(self) -> None:
        """Let go of all engines; idempotent."""
        self._closed = True
        for engine in tuple(self._engines.values()):
            engine.close()
