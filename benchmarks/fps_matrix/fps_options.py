"""The command line of `benchmarks.fps`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from benchmarks.common.arguments import Parser, check_writable, number, whole
from benchmarks.fps_matrix.plan import PRECISIONS, RUNTIMES, Extent, Wish
from engines.errors import OptionsError
from live.options import parse_size

_ROUND_FRAMES, _ROUND_BURN_IN, _ROUND_S = 360, 90, 12.0  # a whole round of the demo
_FRAMES, _BURN_IN = 1500, 200  # where configurations are named
_MOST_FACES = 4

Named = TypeVar("Named", str, int)


@dataclass(frozen=True, slots=True)
class Asked:
    """The command line, checked.

    Attributes:
        start: measure the cold start too.
        json_path, plot_path: where the results go.
    """

    wish: Wish
    extent: Extent
    start: bool
    json_path: Path
    plot_path: Path


def asked_of(arguments: Sequence[str], description: str) -> Asked:
    """Read the command line; ends the program where --help is asked for or a word is none.

    Args:
        arguments: its words.
        description: for --help.

    Raises:
        OptionsError: a value is wrong, or a file cannot be written.
    """
    given = _parser(description).parse_args(arguments)
    sizes = ["{}x{}".format(*parse_size(text)) for text in given.size]
    looks, faces, runtimes, precisions = map(_once, (given.look, given.faces, given.runtime, given.precision))
    wish = Wish(looks, _once(sizes), faces, runtimes, precisions, everything=given.all)
    frames, burn_in, seconds = (_FRAMES, _BURN_IN, None) if wish.narrow else (_ROUND_FRAMES, _ROUND_BURN_IN, _ROUND_S)
    extent = Extent(given.frames or frames, burn_in if given.burn_in is None else given.burn_in,
                    given.seconds or seconds, given.live_s)  # fmt: skip
    check_writable("--json", given.json)
    plot_path = given.plot or given.json.with_suffix(".png")
    check_writable("--plot", plot_path)
    if plot_path.absolute() == given.json.absolute():
        raise OptionsError(f"--plot {plot_path}", "it is the same file as --json", "name another one")
    return Asked(wish, extent, given.start, given.json, plot_path)


def _once(named: Sequence[Named]) -> tuple[Named, ...]:
    return tuple(dict.fromkeys(named))


def _parser(description: str) -> argparse.ArgumentParser:
    parser = Parser("fps", description)
    several = "may be given several times"
    parser.add_argument("--look", action="append", default=[], help=several)
    parser.add_argument("--size", action="append", default=[], help=f"WIDTHxHEIGHT of the frames, {several}")
    parser.add_argument("--faces", action="append", default=[], type=whole(1, _MOST_FACES), help=f"1-4, {several}")
    parser.add_argument("--runtime", action="append", default=[], choices=RUNTIMES, help=several)
    parser.add_argument("--precision", action="append", default=[], choices=PRECISIONS, help=several)
    parser.add_argument("--all", action="store_true", help="all of what is not named: hours")
    parser.add_argument(
        "--frames", type=whole(2, 10**7), help=f"{_ROUND_FRAMES}, or {_FRAMES} where something is named"
    )
    parser.add_argument("--burn-in", type=whole(1, 10**7), help=f"frames: {_ROUND_BURN_IN}, or {_BURN_IN}")
    parser.add_argument("--seconds", type=number(0.1, 86400), help=f"at most: {_ROUND_S:g}, or as long as it takes")
    parser.add_argument("--live-s", type=number(0, 86400), default=4.0, help="at a camera's pace; 0 leaves it out (4)")
    parser.add_argument("--start", action="store_true", help="measure the cold start too")
    parser.add_argument("--json", type=Path, default=Path("fps.json"), help="where the results go (fps.json)")
    parser.add_argument("--plot", type=Path, help="where the picture goes (the same name with .png)")
    return parser
