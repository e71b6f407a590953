"""Values of options that are written as text: sizes, runtimes, numbers of processes, addresses."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from engines.errors import OptionsError

_MAX_JOBS = 256
_SIZE = re.compile(r"(\d{1,5})[xX](\d{1,5})")


class Size(NamedTuple):
    """Width and height in pixels; printed as "1280x720"."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def parse_size(text: str) -> Size:
    """Return "1280x720" as (1280, 720).

    Raises:
        OptionsError: The text has another form, or a side is not between 16 and 8192 pixels.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise OptionsError(f"--size {text}", "not a size", "write WIDTHxHEIGHT, for example 1280x720")
    size_wh = Size(int(match[1]), int(match[2]))
    if not all(16 <= side <= 8192 for side in size_wh):
        raise OptionsError(f"--size {text}", "out of range", "use 16 to 8192 pixels a side")
    return size_wh


def parse_runtime(text: str) -> str:
    """Return the name of a runtime.

    Raises:
        OptionsError: There is no such runtime.
    """
    from engines.runtime.selector import check_runtime  # imports NumPy, which `veneer --help` does without

    return check_runtime(text)


def parse_jobs(text: str) -> int | None:
    """Return "4" as 4, and "auto" as None.

    Raises:
        OptionsError: It is neither.
    """
    number = str(text).strip()
    if number == "auto":
        return None
    if not number.isdigit() or not 1 <= int(number) <= _MAX_JOBS:
        raise OptionsError(f"--jobs {number}", "not a number of processes", f"write 1 to {_MAX_JOBS}, or auto")
    return int(number)


def parse_panel_host(text: str) -> str:
    """Return "auto" or an IPv4 address.

    Raises:
        OptionsError: It is neither, or not the address of one machine.
    """
    try:
        address = None if text == "auto" else ipaddress.IPv4Address(text)
    except ValueError:
        address = ipaddress.IPv4Address(0)
    if address is not None and (address.is_unspecified or address.is_multicast):
        raise OptionsError(f"--panel-host {text}", "not an IPv4 address of this machine", "write it, or auto")
    return text


def parse_log(text: str) -> str:
    """Return "text" or "json". Raises OptionsError."""
    if text not in ("text", "json"):
        raise OptionsError(f"--log {text}", "there is no such form", "use text or json")
    return text


def parse_others(text: str) -> str:
    """Return "bare" or "blur". Raises OptionsError."""
    if text not in ("bare", "blur"):
        raise OptionsError(f"--else {text}", "not a way to show others", "use bare or blur")
    return text
