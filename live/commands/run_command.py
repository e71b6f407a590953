"""`veneer run`: the live program."""

from __future__ import annotations

from typing import Any

from engines.option_fields import with_options
from live.options import LiveOptions, load_options


@with_options(LiveOptions)
def run(**given: Any) -> None:
    """Put a look on a live face and send it to a virtual camera, a window or a file.

    Keys in the preview window: 0-9 looks, [ ] strength, M mirror, F freeze, B panic card, S snapshot, R record,
    H help, Q quit. The same from another process: veneer ctl look glaze.
    """
    from live.render.privacy_policy import rule_line
    from live.session import Session, say

    session = Session(load_options(given))
    if line := rule_line(session.look):
        say(line)
    result = session.run()
    say(
        f"{result['frames_out']} frames out, {result['dropped']} dropped, {result['fps']:.1f} fps, "
        f"latency p50 {result['latency_ms']['p50']:.1f} ms, p95 {result['latency_ms']['p95']:.1f} ms"
    )
