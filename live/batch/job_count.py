"""How many processes are useful: as asked, or found by adding one at a time while the frames a second grow."""

from __future__ import annotations

_TRIAL_S = 10.0  # of one number of processes, after its start
_START_S = 5.0  # a new process loads its libraries
_MIN_GAIN = 1.1


class JobCount:
    """The number of processes.

    Args:
        asked: The number; None to find it.
        most: No more than these are tried.
    """

    def __init__(self, asked: int | None, most: int) -> None:
        self._most = asked or most
        self._count = asked or 1
        self._is_final = asked is not None or most == 1
        self._best_rate = 0.0
        self._begun_s: float | None = None
        self._frames = 0

    def finished(self, frames: int) -> None:
        """Count the frames of a file that is done."""
        self._frames += frames

    def wanted(self, now_s: float) -> int:
        """Return the number at a time in seconds: the last one that made the run faster by a tenth."""
        if self._is_final:
            return self._count
        if self._begun_s is None:
            self._begin(now_s)
        assert self._begun_s is not None
        if now_s < self._begun_s:  # still starting
            self._frames = 0
        elif now_s >= self._begun_s + _TRIAL_S and self._frames:
            self._judge(self._frames / (now_s - self._begun_s), now_s)
        return self._count

    def _judge(self, rate: float, now_s: float) -> None:
        if rate < _MIN_GAIN * self._best_rate:
            self._count, self._is_final = self._count - 1, True
        elif self._count == self._most:
            self._is_final = True
        else:
            self._best_rate, self._count = rate, self._count + 1
            self._begin(now_s)

    def _begin(self, now_s: float) -> None:
        self._begun_s, self._frames = now_s + _START_S, 0
