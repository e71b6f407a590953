"""Command lines of the benchmarks: errors are one line with exit code 2, before anything is measured.

Imports only modules of this repository that need no installed library.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from engines.errors import VeneerError
from engines.files import check_writable

USAGE_ERROR, INTERRUPTED = 2, 130
REPEATABLE = "repeatable"


class Parser(argparse.ArgumentParser):
    """Argument parser that reports errors in one line after `prog`, and keeps the line breaks of the description."""

    def __init__(self, prog: str, description: str | None) -> None:
        super().__init__(prog=prog, description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
        self._files: list[str] = []

    def parse(self) -> argparse.Namespace:
        """Parse the command line. Raises OptionsError if a file of `add_file` cannot be written."""
        options = self.parse_args()
        for option in self._files:
            check_writable(option, getattr(options, option.removeprefix("--")))
        return options

    def add_look(self, default: str = "glaze") -> None:
        """Add --look, the name of one look."""
        self.add_argument("--look", default=default, help=f"look to apply (default: {default})")

    def add_size(self) -> None:
        """Add --size, for `parse_size`."""
        self.add_argument("--size", default="1280x720", help="WIDTHxHEIGHT of the frames (default: 1280x720)")

    def add_file(self, option: str, contents: str = "the results", *, required: bool = False) -> None:
        """Add an output file."""
        self._files.append(option)
        self.add_argument(option, type=Path, metavar="FILE", required=required, help=f"write {contents} to this file")

    def error(self, message: str) -> NoReturn:
        """Exit with the message."""
        self.exit(USAGE_ERROR, f"{self.prog}: {message} - see --help\n")


def number(low: float, high: float, kind: type[float] = float) -> Callable[[str], Any]:
    """Return an argument type for finite numbers of a kind from `low` to `high`."""

    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            name = "an integer" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"{text!r} is not {name} from {low:g} to {high:.12g}")
        return value

    return parse


whole = partial(number, kind=int)


def run_main(prog: str, main: Callable[[], int | None]) -> int:
    """Call the `main` of a benchmark and return its exit code; errors and Ctrl-C are reported in one line."""
    try:
        return main() or 0
    except VeneerError as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return USAGE_ERROR
    except OSError as error:
        print(f"{prog}: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print(f"{prog}: stopped", file=sys.stderr)
        return INTERRUPTED
