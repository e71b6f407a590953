"""Library errors are reported in one short line."""

from __future__ import annotations

import errno

import pytest

from engines.errors import SourceError
from engines.text import one_line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RuntimeError("driver\n\n  bug \t here\n"), "RuntimeError: driver bug here"),
        (ValueError(), "ValueError"),
        (KeyError("x"), "KeyError: 'x'"),
        (OSError(errno.EIO, "Input/output error"), "[Errno 5] Input/output error"),
        (OSError(), "OSError"),
        (SourceError("camera 0", "it is gone", "plug it in"), "camera 0: it is gone - plug it in"),
        (SourceError("camera\n0", "it is\ngone"), "camera 0: it is gone"),
    ],
)
def test_error_in_one_line(error: Exception, line: str) -> None:
    assert one_line(error) == line


@pytest.mark.parametrize("error", [RuntimeError("0123456789\n" * 10_000), OSError("0123456789\n" * 10_000)])
def test_long_library_errors_are_truncated(error: Exception) -> None:
    line = one_line(error)
    assert "\n" not in line and 100 < len(line) < 400
