"""Looks on files: pictures one by one, videos through the same pipeline as live, but losing no frame."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from engines.errors import LookError, SinkError, SourceError, VeneerError
from engines.looks import Look, find_look, load_looks
from live.cover import Cover
from live.frame import Frame
from live.options import LiveOptions
from live.painter import Painter
from live.session import Session, say
from live.sources.still import PICTURE_SUFFIXES, read_picture, write_picture
from live.tracking.face_mesh import FaceMeshTracker
from live.wardrobe import Wardrobe

VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts")


class PicturePainter:
    """Paints single pictures with one look; the tracker and the engines are loaded once."""

    def __init__(self, options: LiveOptions, look: Look) -> None:
        self._wardrobe = Wardrobe({look.name: look}, runtime=options.runtime, say=say)
        self._ready = self._wardrobe.prepare(look.name)
        self._tracker = FaceMeshTracker(max_faces=options.max_faces, still=True)
        self._strength = options.strength

    def __call__(self, source: Path, output: Path) -> None:
        """Paint one picture file into another.

        Raises:
            SourceError: the picture cannot be read.
            SinkError: the result cannot be written.
        """
        picture_bgr = read_picture(source)
        faces = self._tracker.track(Frame(picture_bgr, 0, time.monotonic(), 0.0))
        if faces or not self._ready.layers:
            Painter().paint(picture_bgr, faces, self._ready, self._strength, at_s=0.0)
        else:
            say(f"{source.name}: no face found; the look shows '{self._ready.look.no_face}'")
            picture_bgr = Cover().instead(picture_bgr, self._ready.look, 0.0)
        write_picture(output, picture_bgr)

    def close(self) -> None:
        """Let go of the tracker and the engines."""
        self._tracker.close()
        self._wardrobe.close()


def apply_to(source: Path, output: Path, options: LiveOptions) -> int:
    """Apply the options' look to a file or a folder.

    Returns:
        0, or 2 where some files of a folder could not be done (each is named).

    Raises:
        VeneerError: nothing could be done.
    """
    look = find_look(load_looks(options.looks_file), options.look)
    if not source.exists():
        raise SourceError(f"input {source}", "there is no such file or folder", "check the path")
    if output.exists() and output.resolve() == source.resolve():
        raise SinkError(f"output {output}", "it is the input itself", "name another file, so that nothing is lost")
    if source.is_dir():
        return _folder(source, output, options, look)
    if output.is_dir():
        output = output / source.name
    if not output.absolute().parent.is_dir():
        raise SinkError(f"output {output}", f"there is no folder {output.absolute().parent}", "make it first")
    if source.suffix.lower() in PICTURE_SUFFIXES:
        painter = PicturePainter(options, look)
        try:
            painter(source, output)
        finally:
            painter.close()
    else:
        with _progress() as progress:
            _video(source, output, options, progress)
    return 0


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def _video(source: Path, output: Path, options: LiveOptions, progress: Progress) -> None:
    task = progress.add_task(source.name, total=None)

    def step(frame: Frame) -> None:
        info = session.pipeline.source_info
        progress.update(task, completed=frame.frame_id + 1, total=info.frame_count if info else None)

    session = Session(
        replace(options, source=str(source), sinks=(f"file:{output}",)), on_frame=step, audio_from=source, ctl=False
    )
    report = session.run()
    progress.update(task, completed=report["frames_out"], total=report["frames_out"])
    if report["frames_out"] == 0:
        raise SourceError(f"input {source}", "not one frame could be read", "try to play it in a video player")
    if report["frames_out"] < report["frames_in"]:
        say(f"{source.name}: stopped after {report['frames_out']} frames; {output} holds them")


def _folder(source: Path, output: Path, options: LiveOptions, look: Look) -> int:
    files = sorted(path for path in source.rglob("*") if path.suffix.lower() in (*PICTURE_SUFFIXES, *VIDEO_SUFFIXES))
    files = [path for path in files if not path.resolve().is_relative_to(output.resolve())]
    if not files:
        raise SourceError(f"input {source}", "no pictures or videos in that folder", "name another one")
    failed: list[str] = []
    painter = PicturePainter(options, look)
    try:
        with _progress() as progress:
            task = progress.add_task(source.name, total=len(files))
            for path in files:
                target = output / path.relative_to(source)
                _one(path, target, painter, lambda a, b: _video(a, b, options, progress), failed)
                progress.advance(task)
    finally:
        painter.close()
    say(f"{len(files) - len(failed)} of {len(files)} files done in {output}")
    for line in failed:
        say(f"not done: {line}")
    return 2 if failed else 0


def _one(
    path: Path, target: Path, painter: PicturePainter, video: Callable[[Path, Path], None], failed: list[str]
) -> None:
    """One file of a folder; what goes wrong with it is noted, and the others go on."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() in PICTURE_SUFFIXES:
            painter(path, target)
        else:
            writable = target.suffix.lower() in (".mp4", ".mkv", ".mov", ".m4v")
            video(path, target if writable else target.with_suffix(".mp4"))
    except LookError:
        raise
    except (VeneerError, OSError) as error:
        failed.append(f"{path.name}: {error}")
