"""Command lines of the benchmarks: errors are one line with exit code 2, before anything is measured.

Imports only modules of this repository that need no installed library.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from engines.errors import OptionsError, VeneerError
from engines.files import atomic_write

USAGE_ERROR, INTERRUPTED = 2, 130
REPEATABLE = "repeatable"


class Parser(argparse.ArgumentParser):
    """Argument parser that reports errors in one line after `prog`, and keeps the line breaks of the description."""

    def __init__(self, prog: str, description: str | None) -> None:
        super().__init__(prog=prog, description=description, formatter_class=argparse.RawDescriptionHelpFormatter)

    def add_look(self, default: str = "glaze") -> None:
        """Add --look, the name of one look."""
        self.add_argument("--look", default=default, help=f"look to apply (default: {default})")

    def add_size(self) -> None:
        """Add --size, for `parse_size`."""
        self.add_argument("--size", default="1280x720", help="WIDTHxHEIGHT of the frames (default: 1280x720)")

    def add_file(self, option: str, contents: str = "the results") -> None:
        """Add an optional output file."""
        self.add_argument(option, type=Path, metavar="FILE", help=f"write {contents} to this file")

    def error(self, message: str) -> NoReturn:
        """Exit with the message."""
        self.exit(USAGE_ERROR, f"{self.prog}: {message} - see --help\n")


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return an argument type for integers from `low` to `high`."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and low <= int(text[:12]) <= high):
            raise argparse.ArgumentTypeError(f"{text!r} is not an integer from {low} to {high}")
        return int(text)

    return parse


def number(low: float, high: float) -> Callable[[str], float]:
    """Return an argument type for finite numbers from `low` to `high`."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low:g} to {high:g}")
        return value

    return parse


def check_writable(option: str, path: Path | None) -> None:
    """Check before the measurement that a result file can be written; None is accepted.

    Raises:
        OptionsError: The folder does not exist or is not writable, or the path is a folder.
    """
    if path is None:
        return
    folder = path.absolute().parent
    try:
        if not folder.is_dir():
            raise OptionsError(f"{option} {path}", f"there is no folder {folder}", "create it first")
        writable = not path.is_dir() and os.access(path if path.exists() else folder, os.W_OK)
    except OSError:  # the name is invalid
        writable = False
    if not writable:
        raise OptionsError(f"{option} {path}", "it cannot be written", "name a file in a writable folder")


def write_json(option: str, path: Path | None, found: dict[str, Any]) -> None:
    """Write results as JSON, replacing the file atomically; None is accepted. Raises OptionsError."""
    if path is None:
        return
    try:
        atomic_write(path, json.dumps(found, indent=1) + "\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise OptionsError(f"{option} {path}", reason or str(error), "free some space, or name another file") from error


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
