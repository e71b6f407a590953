"""Options of `benchmarks.fps` and the configurations that they select."""

from __future__ import annotations

import itertools
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.common.arguments import REPEATABLE, Parser, number, whole
from engines.errors import OptionsError
from engines.files import check_writable
from engines.looks import Look, find_look
from engines.styles import Style
from live.option_values import parse_size

SIZES = ("640x480", "1280x720", "1920x1080")
FACES = (1, 4)
DEFAULT_SIZE, DEFAULT_FACES, AUTO = "1280x720", 1, "auto"
REFERENCE_LOOKS = ("glaze", "soft", "toon")  # one of each kind: lips, retouching, drawing
SETTLE_FRAMES = 10  # of the tracker alone, not counted
_TRACKER_FRAMES = 180  # half a cycle of the demo, before and after
_CYCLE_FRAMES, _CYCLE_BURN_IN, _CYCLE_S = 360, 90, 12.0  # one cycle of the demo
_LONG_FRAMES, _LONG_BURN_IN = 1500, 200  # for explicitly selected configurations
BACKENDS = (  # runtime and precision of a look's networks; "auto" is the selection of the program
    AUTO,
    "tensorrt fp16",
    "torch fp16 on GPU",
    "torch fp32 on GPU",
    "openvino int8",
    "openvino bf16",
    "openvino fp32",
    "torch fp32 on CPU",
)


@dataclass(frozen=True, slots=True)
class Case:
    """One configuration: a look at a frame size, with a number of faces, in one of `BACKENDS`."""

    look: str
    size: str
    faces: int
    backend: str

    def __str__(self) -> str:
        return f"{self.look}, {self.size}, {self.faces} face{'s' if self.faces > 1 else ''}, {self.backend}"


@dataclass(frozen=True, slots=True)
class Extent:
    """Length of a measurement: frames at full speed after a burn-in, and seconds at the camera's frame rate.

    `seconds` limits the time of the measured frames; the burn-in gets a third of it. `film` is the path of a film that
    is measured instead of the demo, or "".
    """

    frames: int
    burn_in: int
    seconds: float | None
    live_s: float
    film: str = ""

    @property
    def tracker_frames(self) -> int:
        """Frames of each measurement of the tracker alone."""
        return min(_TRACKER_FRAMES, max(2 * SETTLE_FRAMES, self.frames // 2))

    @property
    def timeout_s(self) -> float:
        """Time after which the process is ended: two seconds per frame, plus time for engine builds."""
        slow_s = 2.0 * (self.burn_in + self.frames + 2 * self.tracker_frames)
        return 400.0 + 5 * self.live_s + min(slow_s, 5 * (self.seconds or slow_s))


@dataclass(frozen=True, slots=True)
class Selection:
    """What the command line names; with `everything`, unnamed dimensions are measured in full."""

    looks: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    faces: tuple[int, ...] = ()
    backends: tuple[str, ...] = ()
    everything: bool = False

    @property
    def is_explicit(self) -> bool:
        """Whether something is named."""
        return bool(self.looks or self.sizes or self.faces or self.backends)


def parse_options(arguments: Sequence[str], description: str) -> tuple[Namespace, Selection, Extent]:
    """Parse the command line; exits on --help and unknown arguments. Raises OptionsError for an invalid value."""
    given = _parser(description).parse_args(arguments)
    sizes = ["{}x{}".format(*parse_size(text)) for text in given.size]
    named = (given.look, sizes, given.faces, given.backend)
    looks, sizes_named, faces, backends = (tuple(dict.fromkeys(values)) for values in named)
    selection = Selection(looks, sizes_named, faces, backends, everything=given.all)
    frames, burn_in, seconds = _CYCLE_FRAMES, _CYCLE_BURN_IN, given.seconds or _CYCLE_S
    if selection.is_explicit:
        frames, burn_in, seconds = _LONG_FRAMES, _LONG_BURN_IN, given.seconds
    burn_in = burn_in if given.burn_in is None else given.burn_in
    film = "" if given.film is None else str(given.film)
    if film and not given.film.is_file():
        raise OptionsError(f"--film {film}", "there is no such file", "name a film")
    if film and faces not in ((), (1,)):
        raise OptionsError("--film and --faces", "the number of faces is that of the film", "leave out --faces")
    extent = Extent(given.frames or frames, burn_in, seconds, given.live_s, film)
    check_writable("--json", given.json)
    given.plot = given.plot or given.json.with_suffix(".png")
    check_writable("--plot", given.plot)
    if given.plot.absolute() == given.json.absolute():
        raise OptionsError(f"--plot {given.plot}", "it is the same file as --json", "name another one")
    return given, selection, extent


def _parser(description: str) -> Parser:
    parser = Parser("fps", description)
    add = parser.add_argument
    several = partial(add, action="append", default=[])
    several("--look", help=f"look, {REPEATABLE}")
    several("--size", help=f"WIDTHxHEIGHT of the frames, {REPEATABLE}")
    several("--faces", type=whole(1, 4), help=f"number of faces, 1 to 4, {REPEATABLE}")
    several("--backend", choices=BACKENDS, help=f"runtime and precision, {REPEATABLE}")
    add("--all", action="store_true", help="measure everything that is not named; takes hours")
    many = whole(1, 10**7)
    add("--frames", type=whole(2, 10**7), help=f"measured frames ({_CYCLE_FRAMES}; {_LONG_FRAMES} for named ones)")
    add("--burn-in", type=many, help=f"frames before them ({_CYCLE_BURN_IN}; {_LONG_BURN_IN} for named ones)")
    add("--seconds", type=number(0.1, 86400), help=f"time limit ({_CYCLE_S:g}; none for named ones)")
    add("--live-s", type=number(0, 86400), default=4.0, help="seconds at a camera's frame rate; 0 for none (4)")
    add("--film", type=Path, help="a film instead of the demo: its first 120 frames, forwards and backwards")
    add("--start", action="store_true", help="measure the cold start as well")
    add("--json", type=Path, default=Path("fps.json"), help="result file (fps.json)")
    add("--plot", type=Path, help="chart (the same name with .png)")
    return parser


def plan(selection: Selection, looks: Mapping[str, Look]) -> list[Case]:
    """Return the configurations in the order of measurement; LookError for an unknown look.

    By default these are every look at the default size with one face, then one look of each kind at all sizes and
    numbers of faces, then the same looks in every backend.
    """
    names = tuple(find_look(looks, name).name for name in selection.looks) or tuple(looks)
    full = selection.everything
    if not selection.is_explicit and not full:
        return _default_plan(names)
    return _product(
        names,
        selection.sizes or (SIZES if full else (DEFAULT_SIZE,)),
        selection.faces or (FACES if full else (DEFAULT_FACES,)),
        selection.backends or (BACKENDS if full else (AUTO,)),
    )


def _default_plan(looks: Sequence[str]) -> list[Case]:
    references = [name for name in REFERENCE_LOOKS if name in looks]
    cases = _product(looks, (DEFAULT_SIZE,), (DEFAULT_FACES,), (AUTO,))
    cases += _product(references, SIZES, FACES, (AUTO,))
    cases += _product(references, (DEFAULT_SIZE,), (DEFAULT_FACES,), BACKENDS)
    return list(dict.fromkeys(cases))


def _product(looks: Iterable[str], sizes: Iterable[str], faces: Iterable[int], backends: Iterable[str]) -> list[Case]:
    return [Case(*parts) for parts in itertools.product(looks, sizes, faces, backends)]


def impossible(case: Case, look: Look) -> str:
    """Return why no machine can run a configuration; empty if one can."""
    if case.backend == AUTO or any(isinstance(layer.style, Style) for layer in look.layers):
        return ""
    return "a look without a network runs on no runtime: omit --backend"
