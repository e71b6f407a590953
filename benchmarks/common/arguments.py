"""What the benchmarks' command lines share: wrong words are one line and exit code 2, before anything is measured.

Imports nothing that is not in the checkout: `benchmarks.engines` runs where the program is not installed.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from engines.errors import OptionsError, VeneerError

WRONG, ENDED = 2, 130


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line.

    Args:
        prog: what the line begins with.
        description: for --help.
    """

    def __init__(self, prog: str, description: str | None) -> None:
        super().__init__(prog=prog, description=description, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        """End with it."""
        self.exit(WRONG, f"{self.prog}: {message} - see --help\n")


def whole(low: int, high: int) -> Callable[[str], int]:
    """Takes whole numbers of a range."""

    def number(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and low <= int(text[:12]) <= high):
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {low} to {high}")
        return int(text)

    return number


def number(low: float, high: float) -> Callable[[str], float]:
    """Takes numbers of a range."""

    def of_range(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is no number from {low:g} to {high:g}")
        return value

    return of_range


def check_writable(option: str, path: Path) -> None:
    """Say before the work that what it finds cannot be kept.

    Raises:
        OptionsError: no such folder, or no right to write there.
    """
    folder = path.absolute().parent
    try:
        if not folder.is_dir():
            raise OptionsError(f"{option} {path}", f"there is no folder {folder}", "make it first")
        writable = not path.is_dir() and os.access(path if path.exists() else folder, os.W_OK)
    except OSError:  # a name that no file can have
        writable = False
    if not writable:
        raise OptionsError(f"{option} {path}", "it cannot be written", "name a file in a folder of yours")


def write_text(option: str, path: Path, text: str) -> None:
    """Write a result.

    Raises:
        OptionsError: the disk does not take it.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise OptionsError(f"{option} {path}", why or str(error), "make room, or name another") from error


def ended(prog: str, main: Callable[[], int | None]) -> int:
    """Call a benchmark's `main`; its exit code, that of a mistake or a full disk, or that of Ctrl-C."""
    try:
        return main() or 0
    except VeneerError as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return WRONG
    except OSError as error:
        print(f"{prog}: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        print(f"{prog}: stopped", file=sys.stderr)
        return ENDED
