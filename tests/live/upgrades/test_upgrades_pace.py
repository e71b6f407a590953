"""An upgrade does not delay frames much.

On a shared machine the delay of single frames says little. So the largest gap between two frames is compared with the
largest one over more frames before the build, and the smallest of both over several runs are used: a gap that occurs in
every run is not random.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from support.upgrade_parts import Show, ordered

from engines.style_lookup import load_style

LIPS = "lips-glaze"
LATE = 2.0  # times the usual gap
MIN_RUNS, MAX_RUNS = 3, 10


def largest_gap_s(show: Show, first: int, last: int) -> float:
    """Return the largest time between two successive frames, among those with the given numbers."""
    return float(np.diff(show.painted_s[first : last + 1]).max())


def gaps_s(lock: Path, shows: list[Show]) -> tuple[float, float]:
    """Return the largest gap before the build starts, and from there until some frames after the swap."""
    built: list[bool] = []
    show = Show([load_style(LIPS)], available_builds=ordered("wait", lock), has_viewers=lambda: bool(built))
    shows.append(show)
    assert show.frames_continue()
    first = len(show.painted_s) - 1
    assert all(show.frames_continue() for _ in range(4))
    start = len(show.painted_s) - 1
    built.append(True)
    assert show.until(lambda: ": building" in show.look_loader.upgrades.progress())
    assert show.frames_continue()
    Path(f"{lock}-{LIPS}.go").touch()
    assert show.says(", before on torch fp32"), show.messages
    assert show.frames_continue()
    show.end()
    show.sink.frames.clear()  # about 1 GB in many runs
    return largest_gap_s(show, first, start), largest_gap_s(show, start, len(show.painted_s) - 1)


def test_upgrade_at_most_doubles_the_largest_frame_gap(lock: Path, shows: list[Show]) -> None:
    usual_s, worst_s = gaps_s(lock, shows)
    for run in range(2, MAX_RUNS + 1):
        usual_s, worst_s = np.minimum((usual_s, worst_s), gaps_s(lock.with_name(f"alive{run}"), shows))
        if run >= MIN_RUNS and worst_s <= LATE * usual_s:
            return
    raise AssertionError(f"usually at most {usual_s * 1e3:.0f} ms, in each of {MAX_RUNS} builds {worst_s * 1e3:.0f}")
