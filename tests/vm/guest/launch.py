"""`veneer` with one look: a run makes all of them ready, which takes an emulated processor minutes.

A look without paint also gets no face mesh, which takes half a second a frame here and would be all that is timed.
The words after the look are the command line. Nothing else differs from `veneer`.
"""

from __future__ import annotations

import sys

from engines import looks
from live.pipeline.frame import Face, Frame

_load_looks = looks.load_looks


class _Blind:
    """In place of the face mesh where nothing is painted."""

    def open(self) -> None:
        pass

    def track(self, frame: Frame) -> tuple[Face, ...]:
        return ()

    def close(self) -> None:
        pass


def main() -> None:
    """Run `veneer WORDS` with the look that the first argument names."""
    name = sys.argv.pop(1)
    look = _load_looks()[name]
    looks.load_looks = lambda *_: {name: look}
    from live import session
    from live.cli import main as veneer

    if not look.layers:
        session.make_tracker = lambda _: _Blind()
    sys.argv[0] = "veneer"
    veneer()


if __name__ == "__main__":
    main()
