"""The film of the samples growing up: the sample sheets of a training as MP4."""

from __future__ import annotations

from pathlib import Path

from engines.training.reporting.charts import GROWTH
from live.picture_files.picture_reader import read_picture
from live.recording.short_film import write_film

_FPS = 8.0


def film_growth(work: Path) -> None:
    """Write `growth.mp4` from the sheets in the folder `growth`. Raises SinkError if it cannot be written."""
    sheets = sorted((work / GROWTH).glob("*.png"))
    if sheets:
        write_film(work / f"{GROWTH}.mp4", map(read_picture, sheets), _FPS)
