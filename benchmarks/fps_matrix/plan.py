"""What `benchmarks.fps` measures: which looks at which sizes, with how many faces, on which engines."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from engines.errors import OptionsError
from engines.looks import Look, find_look
from engines.styles import Style

SIZES = ("640x480", "1280x720", "1920x1080")
FACES = (1, 4)
USUAL_SIZE, USUAL_FACES, AUTO = "1280x720", 1, "auto"
REFERENCES = ("glaze", "soft", "toon")  # a look for each kind: lips, retouched, drawn
SETTLED = 10  # frames of the tracker alone that are not counted
_TRACKER_FRAMES = 180  # half a round of the demo, before and after
_NO_NETWORK = "it paints without a network, on no runtime; it is measured without --runtime and --precision"


class Way(NamedTuple):
    """A way to run a look's networks; `auto` is what the program takes by itself."""

    name: str
    runtime: str
    precision: str


WAYS = (
    Way(AUTO, AUTO, ""),
    Way("tensorrt fp16", "tensorrt", "fp16"),
    Way("torch fp16 on GPU", "torch", "fp16"),
    Way("torch fp32 on GPU", "torch", "fp32"),
    Way("openvino int8", "openvino", "int8"),
    Way("openvino bf16", "openvino", "bf16"),
    Way("openvino fp32", "openvino", "fp32"),
    Way("torch fp32 on CPU", "torch", "fp32"),  # the reference
)
RUNTIMES = tuple(dict.fromkeys(way.runtime for way in WAYS))
PRECISIONS = tuple(dict.fromkeys(way.precision for way in WAYS if way.precision))


@dataclass(frozen=True, slots=True)
class Case:
    """One configuration.

    Attributes:
        size: of the frames, as in "1280x720".
        way: the name of one of `WAYS`.
    """

    look: str
    size: str
    faces: int
    way: str

    def __str__(self) -> str:
        return f"{self.look}, {self.size}, {self.faces} face{'s' if self.faces > 1 else ''}, {self.way}"


@dataclass(frozen=True, slots=True)
class Extent:
    """How long a configuration is measured.

    Attributes:
        frames: at full speed, after the burn-in.
        burn_in: frames before them.
        seconds: what ends each of them earlier, a third of it the burn-in; None for nothing.
        live_s: as a camera feeds it; 0 leaves that out.
    """

    frames: int
    burn_in: int
    seconds: float | None
    live_s: float

    @property
    def tracker_frames(self) -> int:
        """For the tracker alone, each time."""
        return min(_TRACKER_FRAMES, max(2 * SETTLED, self.frames // 2))

    @property
    def patience_s(self) -> float:
        """Whoever takes longer hangs: half a frame a second, and time for engines to be built."""
        slow_s = 2.0 * (self.burn_in + self.frames + 2 * self.tracker_frames)
        return 400.0 + 5 * self.live_s + min(slow_s, 5 * (self.seconds or slow_s))


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line names; an empty tuple where it names nothing.

    Attributes:
        everything: what is not named is taken in full, not as it usually is.
    """

    looks: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    faces: tuple[int, ...] = ()
    runtimes: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()
    everything: bool = False

    @property
    def narrow(self) -> bool:
        """Whether something is named, and so the usual round is not what is wanted."""
        return bool(self.looks or self.sizes or self.faces or self.runtimes or self.precisions)


def planned(wish: Wish, looks: Mapping[str, Look]) -> list[Case]:
    """The configurations in the order in which they are measured.

    With nothing named: every look at the usual size with one face, then a look of each kind at all sizes and numbers
    of faces, then the same looks in every runtime and precision.

    Raises:
        LookError: there is no such look; the message names the nearest ones.
        OptionsError: a runtime does not come in the precision.
    """
    names = tuple(find_look(looks, name).name for name in wish.looks) or tuple(looks)
    ways = named_ways(wish.runtimes, wish.precisions)
    if not wish.narrow and not wish.everything:
        return _usual_round(names)
    full = wish.everything
    return _product(
        names,
        wish.sizes or (SIZES if full else (USUAL_SIZE,)),
        wish.faces or (FACES if full else (USUAL_FACES,)),
        ways or ([way.name for way in WAYS] if full else [AUTO]),
    )


def _usual_round(looks: Sequence[str]) -> list[Case]:
    references = [name for name in REFERENCES if name in looks]
    found = _product(looks, (USUAL_SIZE,), (USUAL_FACES,), (AUTO,))
    for name in references:
        found += _product((name,), SIZES, FACES, (AUTO,))
    for name in references:
        found += _product((name,), (USUAL_SIZE,), (USUAL_FACES,), [way.name for way in WAYS if way.name != AUTO])
    return list(dict.fromkeys(found))


def _product(looks: Iterable[str], sizes: Iterable[str], faces: Iterable[int], ways: Iterable[str]) -> list[Case]:
    return [Case(*parts) for parts in itertools.product(looks, sizes, faces, ways)]


def named_ways(runtimes: Sequence[str], precisions: Sequence[str]) -> list[str]:
    """The ways of these runtimes in these precisions; none where neither is named.

    Raises:
        OptionsError: one of them has no part in it.
    """
    if not runtimes and not precisions:
        return []
    _check_named(runtimes, precisions)
    found = [
        way
        for way in WAYS
        if (not runtimes or way.runtime in runtimes)
        and (way.precision in precisions if precisions else runtimes or way.name != AUTO)
    ]
    return [way.name for way in found]


def _check_named(runtimes: Sequence[str], precisions: Sequence[str]) -> None:
    """Blame the precision that no runtime named comes in, else the runtime that comes in no precision named.

    Raises:
        OptionsError: one of them has no part in what is to be measured.
    """
    if AUTO in runtimes and precisions:
        raise OptionsError(f"--runtime {AUTO}", "it takes a precision by itself", "name no --precision with it")
    comes_in = {name: [way.precision for way in WAYS if way.runtime == name] for name in runtimes or RUNTIMES}
    for precision in precisions:
        if not any(precision in has for has in comes_in.values()):
            use = "; ".join(f"{name}: {_several(found)}" for name, found in comes_in.items())
            raise OptionsError(f"--precision {precision}", f"{' and '.join(comes_in)} has no such engine", f"use {use}")
    for name, has in comes_in.items():
        if runtimes and precisions and not set(has) & set(precisions):
            asked = f"it has no engine in {' or '.join(precisions)}"
            raise OptionsError(f"--runtime {name}", asked, f"use {_several(has)}, or leave {name} out")


def _several(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def never(case: Case, look: Look) -> str:
    """Why a configuration cannot be, on whatever machine; nothing where it can."""
    networks = any(isinstance(layer.style, Style) for layer in look.layers)
    return "" if networks or case.way == AUTO else _NO_NETWORK
