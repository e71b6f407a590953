"""`veneer demo`: all looks on the built-in moving portrait, without a camera."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_SECONDS_PER_LOOK = 2.0  # in a window; a video of a second or more shows each look once


def has_screen() -> bool:
    """Whether a window can be shown; a configured screen that cannot be reached does not count."""
    from engines.errors import SinkError
    from live.sinks.display import check_screen

    try:
        check_screen()
    except SinkError:
        return False
    return True


def demo(
    look: Annotated[str | None, typer.Option(help="Show only this look.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write a video instead of opening a window.")] = None,
    seconds: Annotated[float, typer.Option(help="Length of the video.")] = 20.0,
) -> None:
    """Show every look on a moving portrait: in a window, or in veneer-demo.mp4 if there is no screen."""
    from engines.errors import OptionsError
    from engines.looks_file import load_looks
    from live.control.controls import Command
    from live.options import LiveOptions
    from live.pipeline.frame import Frame
    from live.session import Session, say

    if not 0.1 <= seconds <= 3600:
        raise OptionsError(f"--seconds {seconds:g}", "out of range", "use 0.1 to 3600")
    in_window = output is None and has_screen()
    path = output or Path("veneer-demo.mp4")
    sink = "window" if in_window else f"file:{path}"
    options = LiveOptions(
        source="demo", look=look or "glaze", sinks=(sink,), frames=None if in_window else max(1, round(seconds * 30))
    )
    names = [name for name in load_looks() if name != "none"] if look is None else []

    look_s = _SECONDS_PER_LOOK if in_window or not names else seconds / len(names)
    current_look = ""

    def next_look(frame: Frame) -> None:
        nonlocal current_look
        due = names[int(frame.frame_id / 30 / look_s) % len(names)]
        if due != current_look:  # not at fixed frame numbers: a live frame may be dropped
            current_look = due
            session.controls.apply(Command("look", due))

    session = Session(options, on_frame=next_look if names else None)
    if not in_window:
        say(f"writing {path}" if output else f"no screen here: writing {path}")
        session.pipeline.parts.look_loader.load_all()  # a video waits until every look is ready
    result = session.run()
    if result["frames_out"] == 0:
        say("stopped before the first frame")
        return
    say(f"{result['frames_out']} frames, {result['fps']:.0f} fps" + ("" if in_window else f": see {path.absolute()}"))
