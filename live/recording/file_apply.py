"""Looks on files: pictures one by one, videos through the same pipeline as live, but losing no frame."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from engines.errors import LookError, SinkError, SourceError, VeneerError
from engines.looks import Look, find_look, load_looks
from live.options import LiveOptions
from live.pipeline.frame import Frame
from live.recording.recording_file import SUFFIXES as FILM_SUFFIXES
from live.recording.recording_file import check_target
from live.render.picture_renderer import PictureRenderer
from live.session import Session, say
from live.sources.source_factory import is_picture
from live.sources.still_picture import PICTURE_SUFFIXES

VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts")


def apply_to(source: Path, output: Path, options: LiveOptions) -> int:
    """Apply the options' look to a file or a folder.

    Returns:
        0, or 2 where a film could be read only in part, or some files of a folder could not be done (each is named).

    Raises:
        VeneerError: nothing could be done.
        KeyboardInterrupt: the user stopped it; what lay at the output before is still there.
    """
    look = find_look(load_looks(options.looks_file), options.look)
    try:
        output = _checked_output(source, output)
        work = _found(source, output) if source.is_dir() else None
    except (OSError, RuntimeError) as error:  # a name that is too long, links in a circle, a folder that is locked
        got = str(getattr(error, "strerror", None) or error).lower()
        raise SourceError(f"apply {source} {output}", got, "check both paths") from None
    if work is not None:
        return _folder(source, output, work, options, look)
    if is_picture(source):
        painter = PictureRenderer(options, look)
        try:
            painter(source, output)
        finally:
            painter.close()
        return 0
    with _progress() as progress:
        return 2 if _film(source, output, options, progress) else 0


def _checked_output(source: Path, output: Path) -> Path:
    """Where the result goes: the output, or for one file and a folder the file of the same name in it."""
    if not source.exists():
        raise SourceError(f"input {source}", "there is no such file or folder", "check the path")
    if source.is_dir():
        if output.exists() and not output.is_dir():
            raise SinkError(f"output {output}", "it is a file, the input a folder", "name a folder")
    elif not source.is_file():
        raise SourceError(f"input {source}", "that is a device or pipe, not a file", "use `veneer run` for a camera")
    elif output.is_dir():
        output = output / source.name
        if not is_picture(source) and output.suffix.lower() not in FILM_SUFFIXES:
            output = output.with_suffix(".mp4")
    if output.exists() and output.samefile(source):
        raise SinkError(f"output {output}", "it is the input itself", "name another file, so that nothing is lost")
    if not source.is_dir() and not output.absolute().parent.is_dir():
        raise SinkError(f"output {output}", f"there is no folder {output.absolute().parent}", "make it first")
    return output


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def _film(source: Path, output: Path, options: LiveOptions, progress: Progress) -> str | None:
    """One film. It grows beside the output and takes its name when it is done.

    Returns:
        What was wrong with an input that could be read only in part.
    """
    check_target(output)
    growing = _free_name(output)
    task = progress.add_task(source.name, total=None)

    def step(frame: Frame) -> None:
        info = session.pipeline.source_info
        progress.update(task, completed=frame.frame_id + 1, total=info.frame_count if info else None)

    whole = replace(options, source=str(source.absolute()), sinks=(f"file:{growing.absolute()}",))  # "0" is a file here
    session = Session(whole, on_frame=step, audio_from=source, ctl=False)
    try:
        report = session.run()
    except VeneerError as error:
        if growing.exists() and str(growing) not in str(error):
            say(f"{source.name}: what was done until then is in {growing}")
        raise
    frames = report["frames_out"]
    progress.update(task, completed=frames, total=frames)
    if session.pipeline.interrupted:
        if growing.exists():
            say(f"{source.name}: stopped after {frames} frames; {growing} holds them")
        raise KeyboardInterrupt
    if frames == 0:
        raise SourceError(f"input {source}", "not one frame could be read", "try to play it in a video player")
    try:
        growing.replace(output)
    except OSError as error:
        raise SinkError(f"writing {output}", (error.strerror or "").lower(), f"the film is in {growing}") from None
    warning = session.pipeline.parts.source.warning
    if warning:
        say(f"{source.name}: {frames} frames could be read; {output} holds them")
    return warning


def _free_name(output: Path) -> Path:
    """OUTPUT's stem with .part, .part2, ...: the first that nothing lies at."""
    names = (output.with_name(f"{output.stem}.part{number or ''}{output.suffix}") for number in (0, *range(2, 1 << 20)))
    return next(name for name in names if not os.path.lexists(name))


@dataclass(slots=True)
class _Work:
    """What a folder holds, and what became of it: (input, output) pairs, then one line for each trouble."""

    pairs: list[tuple[Path, Path]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    partly: list[str] = field(default_factory=list)
    done: int = 0


def _folder(source: Path, output: Path, work: _Work, options: LiveOptions, look: Look) -> int:
    total = len(work.pairs) + len(work.failed)
    if not total:
        raise SourceError(f"input {source}", "no pictures or videos in that folder", "name another one")
    painter = PictureRenderer(options, look)
    try:
        with _progress() as progress:
            task = progress.add_task(source.name, total=len(work.pairs))
            for path, target in work.pairs:
                _one(path, target, painter, options, progress, work)
                progress.advance(task)
    finally:
        painter.close()
        say(f"{work.done} of {total} files done in {output}")
        for line in work.partly + [f"not done: {line}" for line in work.failed]:
            say(line)
    return 2 if work.failed or work.partly else 0


def _found(source: Path, output: Path) -> _Work:
    """The pictures and films below a folder and where each goes; none onto another's result, none onto an input."""
    work, inputs = _Work(), {}
    root, out = source.resolve(), output.resolve()
    for path in _below(source, work.failed):
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError):
            work.failed.append(f"{path}: a link that leads nowhere")
            continue
        if real.is_file() and not (out.is_relative_to(root) and real.is_relative_to(out)):
            inputs[path] = real
    targets = _targets({path: output / path.relative_to(source) for path in inputs})
    for path, target in targets.items():
        if target.resolve() in inputs.values():
            work.failed.append(f"{path}: its result would replace the input {target}")
        else:
            work.pairs.append((path, target))
    return work


def _below(source: Path, failed: list[str]) -> list[Path]:
    """All that is named like a picture or film; folders that cannot be read are noted."""
    suffixes, found = (*PICTURE_SUFFIXES, *VIDEO_SUFFIXES), []
    for folder, _, names in os.walk(source, onerror=lambda error: failed.append(f"{error.filename}: {error.strerror}")):
        found += [Path(folder, name) for name in names if Path(name).suffix.lower() in suffixes]
    return sorted(found)


def _targets(wanted: dict[Path, Path]) -> dict[Path, Path]:
    """Films of a kind that is only read become .mp4; where that name is another's, clip.avi becomes clip.avi.mp4."""
    kept = {path for path, target in wanted.items() if target.suffix.lower() in (*PICTURE_SUFFIXES, *FILM_SUFFIXES)}
    taken = {str(wanted[path]).casefold() for path in kept}
    targets = {}
    for path, target in wanted.items():
        if path not in kept:
            longer, target = target, target.with_suffix(".mp4")
            while str(target).casefold() in taken:
                target = longer = longer.with_name(f"{longer.name}.mp4")
            taken.add(str(target).casefold())
        targets[path] = target
    return targets


def _one(
    path: Path, target: Path, painter: PictureRenderer, options: LiveOptions, progress: Progress, work: _Work
) -> None:
    """One file of a folder; what goes wrong with it is noted, and the others go on."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() in PICTURE_SUFFIXES:
            painter(path, target)
        elif warning := _film(path, target, options, progress):
            work.partly.append(f"done in part: {path.name}: {warning}")
        work.done += 1
    except LookError:
        raise
    except (VeneerError, OSError) as error:
        work.failed.append(f"{path.name}: {error}")
