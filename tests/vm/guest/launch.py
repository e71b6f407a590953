"""`veneer` with a single look: preparing all of them takes minutes on an emulated CPU.

A look without layers also runs without the face mesh, which takes half a second a frame here and would dominate all
times. Beside it there is a second look, which the control page can select: a lipstick, which needs no network, and a
blurred picture without a face. The arguments after the look are the command line. Nothing else differs from `veneer`.
"""

from __future__ import annotations

import sys

from engines import looks_file
from live.pipeline.frame import Face, Frame

SECOND_LOOK = "veil"
_SECOND = {"layers": [{"style": "shade", "color": "#6e0f1f"}], "no_face": "blur"}


class _NoTracker:
    """Finds no faces; replaces the face mesh if nothing is painted."""

    def open(self) -> None:
        pass

    def track(self, frame: Frame) -> tuple[Face, ...]:
        return ()

    def close(self) -> None:
        pass


def main(name: str, *arguments: str) -> None:
    """Run `veneer ARGUMENTS` with the named look."""
    from live import session
    from live.cli import main as veneer
    from live.render import run_looks

    look, second = looks_file.load_looks()[name], looks_file.parse_look(SECOND_LOOK, _SECOND)
    run_looks.load_looks = lambda *_: {name: look, SECOND_LOOK: second}
    if not look.layers:
        session.make_tracker = lambda *_, **__: _NoTracker()
    sys.argv = ["veneer", *arguments]
    veneer()


if __name__ == "__main__":
    main(*sys.argv[1:])
