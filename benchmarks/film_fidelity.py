"""Measures what `veneer apply` keeps of films: frame count, times, sound, tracks; FFmpeg's `ffprobe` is the reader.

    python -m benchmarks.film_fidelity FOLDER

processes every film of the folder with the look `none` into MP4 and Matroska, and prints a line for each.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        time_s: Largest difference of a picture's time.
        ticks: The same, in ticks of the container's clock.
        sound_s: Largest difference of the length of a sound track.
        sound_frames: The same, in audio frames.
        sync_s: Largest difference of the start of a sound track against the first picture.
        lost: Number of sound and subtitle tracks, channels and chapters that are missing.
    """

    frames: int
    time_s: float
    ticks: float
    sound_s: float
    sound_frames: float
    sync_s: float
    lost: int

    @property
    def is_faithful(self) -> bool:
        """Whether all is kept: the times to the tick, the sound to one audio frame."""
        return not self.frames and self.ticks <= 1 and self.sound_frames <= 1 and not self.lost


def _probe(path: Path, *arguments: str) -> Any:
    command = ["ffprobe", "-v", "error", *arguments, "-of", "json", str(path)]
    return json.loads(subprocess.run(command, capture_output=True, check=True, timeout=300).stdout)


def read_film(path: Path) -> Film:
    """Read a film with `ffprobe`, which decodes all of it."""
    head = _probe(path, "-show_streams", "-show_chapters")
    streams = head["streams"]
    pictures = next(
        stream for stream in streams if stream["codec_type"] == "video" and not stream["disposition"]["attached_pic"]
    )
    entries = "frame=stream_index,best_effort_timestamp_time,nb_samples"
    frames = [frame for frame in _probe(path, "-show_frames", "-show_entries", entries)["frames"] if frame]
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
        len(head["chapters"]),
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
        time_s,
        time_s / tick_s,
        max(lengths_s, default=0.0),
        sound_frames,
        max((abs(new[0] - old[0]) for old, new in pairs), default=0.0),
        lost + sum(source.channels) - sum(result.channels),
    )


def measure(film: Path, folder: Path, suffix: str) -> Fidelity:
    """Process a film with the look `none` into a folder, and compare."""
    from live.options import LiveOptions
    from live.recording.file_apply import apply_to

    result = folder / f"{film.name}{suffix}"
    apply_to(film, result, LiveOptions(look="none"))
    return compare(read_film(film), read_film(result), _TICK_S[suffix])


def main() -> None:
    """Measure the films of a folder and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--suffixes", nargs="+", default=[".mp4", ".mkv"], choices=list(_TICK_S))
    options = parser.parse_args()
    if shutil.which("ffprobe") is None:
        raise SystemExit("ffprobe (package ffmpeg) is not installed")
    faithful = total = 0
    print("film, into | frames | time, ms | ticks | sound, ms | audio frames | start of sound, ms | lost")
    with tempfile.TemporaryDirectory() as folder:
        for film in sorted(options.folder.iterdir()):
            for suffix in options.suffixes:
                got = measure(film, Path(folder), suffix)
                faithful, total = faithful + got.is_faithful, total + 1
                print(
                    f"{film.name}, {suffix} | {got.frames:+d} | {got.time_s * 1e3:.4f} | {got.ticks:.2f} |"
                    f" {got.sound_s * 1e3:.1f} | {got.sound_frames:.2f} | {got.sync_s * 1e3:.1f} | {got.lost}"
                )
    print(f"{faithful} of {total} are faithful")


if __name__ == "__main__":
    main()
