"""Targets with a known fault each, which prove that the fuzzer finds such faults."""

from __future__ import annotations

import time
from pathlib import Path

from engines.errors import LookError
from tests.fuzz.target import Feed, Target

_WORD = b"VEIL"


def _crash(_folder: Path) -> Feed:
    def feed(data: bytes) -> None:
        found = 0  # one branch per byte: only a coverage-guided search reaches the last one
        if data[0:1] == _WORD[0:1]:
            found = 1
            if data[1:2] == _WORD[1:2]:
                found = 2
                if data[2:3] == _WORD[2:3]:
                    found = 3
                    if data[3:4] == _WORD[3:4]:
                        raise IndexError(f"planted, {found}")

    return feed


def _hang(_folder: Path) -> Feed:
    def feed(data: bytes) -> None:
        start_s = time.process_time()
        while data[:1] == b"h" and time.process_time() - start_s < 6:
            pass

    return feed


def _swell(_folder: Path) -> Feed:
    def feed(data: bytes) -> None:
        if data[:1] == b"m":
            held = bytearray(b"x") * 1_700_000_000
            time.sleep(1.2)  # libFuzzer checks once per second
            del held

    return feed


class _TwoLinesError(LookError):
    def __str__(self) -> str:
        return "one\ntwo"


def _two_lines(_folder: Path) -> Feed:
    def feed(data: bytes) -> None:
        if data[:1] == b"b":
            raise _TwoLinesError("a look", "two lines")

    return feed


CRASH = Target("crash", _crash, lambda: [b"VVVV"])
HANG = Target("hang", _hang, lambda: [b"a"])
SWELL = Target("swell", _swell, lambda: [b"a"])
TWO_LINES = Target("two lines", _two_lines, lambda: [b"a"])
