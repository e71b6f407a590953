"""Measures what `veneer apply` keeps of films: frame count, times, sound, tracks, colours.

FFmpeg's `ffprobe` is the reader; the colours are those that Veneer reads.

    python -m benchmarks.film_fidelity FOLDER

processes every film of the folder with the look `none` into MP4 and Matroska, and prints a line for each.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab

from benchmarks.common.arguments import Parser, run_main
from benchmarks.common.machine_info import table
from engines.errors import VeneerError

_MAX_DE = 1.5
_COLOUR_STEP = 5  # between two pictures that are compared
_PIXEL_STEP = 2  # between their rows and columns
_TICK_S = {".mp4": 1 / 90000, ".mov": 1 / 90000, ".mkv": 1e-3}  # of the containers' clocks


@dataclass(frozen=True)
class Film:
    """What a reader finds in a film.

    Attributes:
        pictures: Number of pictures.
        times_s: (N,) time of each picture, from the first; at most `pictures`, as AVI has no time for some.
        sounds: For each sound track: start and end in seconds from the first picture, and the length of an audio frame.
        channels: For each sound track: number of channels.
        languages: Language of each track with sound or subtitles.
        subtitles: Number of subtitle tracks.
        chapters: Number of chapters.
    """

    pictures: int
    times_s: list[float]
    sounds: list[tuple[float, float, float]]
    channels: list[int]
    languages: list[str]
    subtitles: int
    chapters: int


@dataclass(frozen=True)
class Fidelity:
    """How a processed film differs from its source.

    Attributes:
        frames: Difference of the number of pictures.
        time_ms: Largest difference of a picture's time.
        ticks: The same, in ticks of the container's clock.
        sound_ms: Largest difference of the length of a sound track.
        sound_frames: The same, in audio frames.
        sync_ms: Largest difference of the start of a sound track against the first picture.
        lost: Number of sound and subtitle tracks, channels and chapters that are missing.
        colour_de: Mean colour difference (dE2000) of the pictures; 0 if it was not measured.
    """

    frames: int
    time_ms: float
    ticks: float
    sound_ms: float
    sound_frames: float
    sync_ms: float
    lost: int
    colour_de: float = 0.0

    @property
    def is_faithful(self) -> bool:
        """Whether all is kept: the times to the tick, the sound to one audio frame, colours to dE 1.5."""
        kept = not self.frames and self.ticks <= 1 and self.sound_frames <= 1 and not self.lost
        return kept and self.colour_de < _MAX_DE


def read_film(path: Path) -> Film:
    """Read a film with `ffprobe`, which decodes all of it."""
    entries = (
        "stream=index,codec_type,sample_rate,channels:stream_disposition=attached_pic:stream_tags=language:chapter=id:"
        "frame=stream_index,best_effort_timestamp_time,nb_samples"
    )
    command = ["ffprobe", "-v", "error", "-show_entries", entries, "-of", "json", str(path)]
    found = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=300).stdout)
    streams, frames = found["streams"], [frame for frame in found["frames"] if "stream_index" in frame]
    pictures = next(
        stream for stream in streams if stream["codec_type"] == "video" and not stream["disposition"]["attached_pic"]
    )
    stamps: dict[int, list[float]] = {}
    samples: dict[int, list[int]] = {}
    for frame in frames:
        if "best_effort_timestamp_time" in frame:
            stamps.setdefault(frame["stream_index"], []).append(float(frame["best_effort_timestamp_time"]))
            samples.setdefault(frame["stream_index"], []).append(int(frame.get("nb_samples", 0)))
    times_s = stamps[pictures["index"]]
    zero_s = times_s[0]
    sounds = []
    for stream in streams:
        if stream["codec_type"] == "audio" and stream["index"] in stamps:
            rate_hz, index = int(stream["sample_rate"]), stream["index"]
            end_s = stamps[index][-1] + samples[index][-1] / rate_hz
            sounds.append((stamps[index][0] - zero_s, end_s - zero_s, max(1024, *samples[index]) / rate_hz))
    others = [stream for stream in streams if stream["codec_type"] in ("audio", "subtitle")]
    return Film(
        sum(frame["stream_index"] == pictures["index"] for frame in frames),
        [time_s - zero_s for time_s in times_s],
        sounds,
        [int(stream["channels"]) for stream in streams if stream["codec_type"] == "audio"],
        [stream.get("tags", {}).get("language", "und") for stream in others],
        sum(stream["codec_type"] == "subtitle" for stream in streams),
        len(found["chapters"]),
    )


def compare(source: Film, result: Film, tick_s: float) -> Fidelity:
    """Compare a processed film with its source."""
    times_s = zip(source.times_s, result.times_s, strict=False)
    time_s = max((abs(after - before) for before, after in times_s), default=0.0)
    pairs = list(zip(source.sounds, result.sounds, strict=False))
    lengths_s = [abs((new[1] - new[0]) - (old[1] - old[0])) for old, new in pairs]
    sound_frames = max((at_s / old[2] for at_s, (old, _) in zip(lengths_s, pairs, strict=True)), default=0.0)
    lost = len(source.languages) - len(result.languages) + source.chapters - result.chapters
    return Fidelity(
        result.pictures - source.pictures,
        time_s * 1e3,
        time_s / tick_s,
        max(lengths_s, default=0.0) * 1e3,
        sound_frames,
        max((abs(new[0] - old[0]) for old, new in pairs), default=0.0) * 1e3,
        lost + sum(source.channels) - sum(result.channels),
    )


def measure(film: Path, folder: Path, suffix: str) -> Fidelity:
    """Process a film with the look `none` into a folder, and compare."""
    from live.options import ApplyOptions
    from live.recording.file_apply import apply_to

    result = folder / f"{film.name}{suffix}"
    apply_to(film, result, ApplyOptions(look="none"))
    kept = compare(read_film(film), read_film(result), _TICK_S[suffix])
    return replace(kept, colour_de=colour_difference(film, result))


def colour_difference(source: Path, result: Path) -> float:
    """Return the mean dE2000 of every fifth picture of two films of the same size (odd sizes lose a row or column)."""
    from live.sources.video_source import film_frames

    found = []
    for index, (before, after) in enumerate(zip(film_frames(source), film_frames(result), strict=False)):
        if index % _COLOUR_STEP == 0:
            height, width = np.minimum(before.bgr.shape, after.bgr.shape)[:2]
            pair = [frame.bgr[:height:_PIXEL_STEP, :width:_PIXEL_STEP, ::-1] for frame in (before, after)]
            found.append(deltaE_ciede2000(*(rgb2lab(rgb) for rgb in pair)).mean())
    return float(np.mean(found))


def main() -> int:
    """Measure the films of a folder and print a line for each; the exit code is 0 if all are faithful."""
    parser = Parser("film_fidelity", __doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--suffixes", nargs="+", default=[".mp4", ".mkv"], choices=list(_TICK_S))
    options = parser.parse_args()
    if shutil.which("ffprobe") is None:
        raise VeneerError("film_fidelity", "ffprobe is not installed", "install the package ffmpeg")
    films = [(film, suffix) for film in sorted(options.folder.iterdir()) for suffix in options.suffixes]
    with tempfile.TemporaryDirectory() as folder:
        rows = [(film.name, suffix, measure(film, Path(folder), suffix)) for film, suffix in films]
    columns = ["film", "into", *(field.name for field in fields(Fidelity)), "faithful"]
    print(table(columns, [(name, suffix, *astuple(got), got.is_faithful) for name, suffix, got in rows]))
    faithful = sum(got.is_faithful for *_, got in rows)
    print(f"{faithful} of {len(rows)} are faithful")
    return faithful < len(rows)


if __name__ == "__main__":
    code = run_main("film_fidelity", main)
    sys.stdout.flush()
    os._exit(code)  # a thread of a library would abort the interpreter's shutdown
