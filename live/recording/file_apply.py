"""`veneer apply`: looks on files; pictures one by one, videos and animations through the live pipeline, complete."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from engines.errors import LookError, SinkError, SourceError, VeneerError
from engines.looks import Look, find_look, load_looks
from live.options import LiveOptions
from live.picture_files.picture_reader import HEIC_SUFFIXES, PICTURE_SUFFIXES, PictureFile
from live.picture_files.picture_writer import ANIMATION_SUFFIXES, WRITABLE_SUFFIXES, picture_format
from live.pipeline.frame import Frame
from live.recording.recording_file import SUFFIXES as WRITABLE_VIDEO_SUFFIXES
from live.recording.recording_file import check_target, error_text, part_paths
from live.render.picture_renderer import PictureRenderer
from live.session import Session, say
from live.sinks.animation_file import AnimationFileSink
from live.sinks.base import FrameSink
from live.sources.picture_source import PictureSource
from live.sources.source_factory import is_picture

VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts")


def apply_to(source: Path, output: Path, options: LiveOptions) -> int:
    """Apply the look of the options to a file or a folder.

    Returns:
        The exit code: 0, or 2 if a video could be read only in part or if some files of a folder failed (each is
        reported).

    Raises:
        VeneerError: Nothing could be processed.
        KeyboardInterrupt: The user interrupted; existing output files are unchanged.
    """
    look = find_look(load_looks(options.looks_file), options.look)
    try:
        output = _checked_output(source, output)
        found = _collect(source, output) if source.is_dir() else None
    except (OSError, RuntimeError) as error:  # name too long, cyclic links, folder that may not be searched
        raise SourceError(f"apply {source} {output}", error_text(error), "check both paths") from None
    if found is not None:
        return _apply_to_folder(source, output, *found, options, look)
    if is_picture(source) and (picture := PictureFile(source)).frame_count == 1:
        picture_format(output)
        with contextlib.closing(PictureRenderer(options, look)) as renderer:
            renderer(picture, output)
        return 0
    with _progress() as progress:
        return 2 if _apply_to_video(source, output, options, progress) else 0


def _checked_output(source: Path, output: Path) -> Path:
    """Return the output path: as given, or for a file and a folder the same file name in the folder."""
    if not source.exists():
        raise SourceError(f"input {source}", "there is no such file or folder", "check the path")
    if source.is_dir():
        if output.exists() and not output.is_dir():
            raise SinkError(f"output {output}", "it is a file, the input a folder", "name a folder")
    elif not source.is_file():
        raise SourceError(f"input {source}", "that is a device or pipe, not a file", "use `veneer run` for a camera")
    elif output.is_dir():
        output = output / source.name
        if output.suffix.lower() in HEIC_SUFFIXES or not (is_picture(source) or _is_writable(output)):
            output = output.with_suffix(_other_suffix(output))
    if output.exists() and output.samefile(source):
        raise SinkError(f"output {output}", "it is the input itself", "name another file, so that nothing is lost")
    if not source.is_dir() and not output.absolute().parent.is_dir():
        raise SinkError(f"output {output}", f"there is no folder {output.absolute().parent}", "make it first")
    return output


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def _apply_to_video(source: Path, output: Path, options: LiveOptions, progress: Progress) -> str | None:
    """Process one video or animation; it is written beside the output and renamed when complete.

    Returns:
        What was wrong with an input that could be read only in part; None otherwise.
    """
    animation = PictureFile(source) if is_picture(source) else None
    _check_film_target(source, output, animation)
    part = next((path for path in part_paths(output) if not os.path.lexists(path)), None)
    if part is None:
        raise SinkError(f"writing {output}", "a thousand unfinished files lie beside it", "delete them")
    task = progress.add_task(source.name, total=None)

    def on_frame(frame: Frame) -> None:
        info = session.pipeline.source_info
        progress.update(task, completed=frame.frame_id + 1, total=info.frame_count if info else None)

    # Absolute paths, so that a file called "0" is not taken for a camera.
    options = replace(options, source=str(source.absolute()), sinks=(f"file:{part.absolute()}",))
    frames_of = PictureSource(source, repeat=False, keep=True) if animation else None
    sinks: list[FrameSink] = []
    if output.suffix.lower() in ANIMATION_SUFFIXES:
        picture_of, plays = (frames_of.take, animation.plays) if frames_of and animation else (None, 0)
        sinks.append(AnimationFileSink(part, picture_of=picture_of, plays=plays))
    audio_from = None if animation else source
    session = Session(options, source=frames_of, sinks=sinks, on_frame=on_frame, audio_from=audio_from, ctl=False)
    try:
        report = session.run()
    except VeneerError as error:
        if part.exists() and str(part) not in str(error):
            say(f"{source.name}: what was done until then is in {part}")
        raise
    frames = report["frames_out"]
    progress.update(task, completed=frames, total=frames)
    if session.pipeline.interrupted:
        if part.exists():
            say(f"{source.name}: stopped after {frames} frames; {part} holds them")
        raise KeyboardInterrupt
    if frames == 0:
        raise SourceError(f"input {source}", "no frame could be read", "try to play it in a video player")
    try:
        part.replace(output)
    except OSError as error:
        raise SinkError(f"writing {output}", error_text(error), f"the video is in {part}") from None
    for lost in _lost_in_animation(source, output, sinks):
        say(f"{source.name}: {lost}")
    warning = session.pipeline.parts.source.warning
    if warning:
        say(f"{source.name}: {frames} frames could be read; {output} holds them")
    return warning


def _check_film_target(source: Path, output: Path, animation: PictureFile | None) -> None:
    """Check that a video or an animation can be written to a path.

    Raises:
        SinkError: The suffix is of no such file, or the place is not writable.
    """
    suffix = output.suffix.lower()
    if suffix not in ANIMATION_SUFFIXES or (suffix == ".png" and animation is None):
        if animation and suffix in PICTURE_SUFFIXES:
            got = f"{source.name} is an animation of {animation.frame_count} frames, a {suffix} holds one"
            raise SinkError(f"output {output}", got, "end it in .gif, .webp, .png, .avif or .mp4")
        check_target(output)


def _lost_in_animation(source: Path, output: Path, sinks: list[FrameSink]) -> list[str]:
    """Return what an animation does not keep of a video or of another animation."""
    if not sinks:
        return []
    lost = [line for sink in sinks if isinstance(sink, AnimationFileSink) for line in sink.lost]
    lines = [f"not kept in a {output.suffix}: {', '.join(lost)}"] if lost else []
    return lines + ([f"a {output.suffix} holds no sound"] if not is_picture(source) and has_sound(source) else [])


Pairs = list[tuple[Path, Path]]
"""Input and output files."""


def _apply_to_folder(
    source: Path,
    output: Path,
    pairs: Pairs,
    failed: list[str],
    skipped: Counter[str],
    options: LiveOptions,
    look: Look,
) -> int:
    """Process the files of a folder; an error is recorded and does not stop the others."""
    total, done, partial = len(pairs) + len(failed), 0, []
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(skipped.items()))
    if not total:
        got = "no pictures or videos in that folder" + (f", only {kinds}" if kinds else "")
        raise SourceError(f"input {source}", got, "name another one")
    renderer = PictureRenderer(options, look)
    try:
        with contextlib.closing(renderer), _progress() as progress:
            for path, target in progress.track(pairs, description=source.name):
                try:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    if is_picture(path) and (picture := PictureFile(path)).frame_count == 1:
                        renderer(picture, target)
                    elif warning := _apply_to_video(path, target, options, progress):
                        partial.append(f"done in part: {path.name}: {warning}")
                    done += 1
                except LookError:
                    raise
                except (VeneerError, OSError) as error:
                    failed.append(f"{path.name}: {error}")
    finally:
        say(f"{done} of {total} files done in {output}")
        if skipped:
            say(f"skipped, as they are no pictures or videos: {kinds}")
        for line in partial + [f"not done: {line}" for line in failed]:
            say(line)
    return 2 if failed or partial else 0


def _collect(source: Path, output: Path) -> tuple[Pairs, list[str], Counter[str]]:
    """List the pictures and videos below a folder with their outputs.

    No output replaces an input or another output.

    Returns:
        The files, one message for each that cannot be done, and the numbers of other files by suffix.
    """
    root, out = source.resolve(), output.resolve()
    inputs: dict[Path, Path] = {}
    failed: list[str] = []
    paths, skipped = _media_files(source, out, failed)
    for path in paths:
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError):
            failed.append(f"{path}: a link that leads nowhere")
            continue
        if real.is_file() and not (out.is_relative_to(root) and real.is_relative_to(out)):
            inputs[path] = real
    pairs = []
    for path, target in _unique_targets({path: output / path.relative_to(source) for path in inputs}).items():
        if target.resolve() in inputs.values():
            failed.append(f"{path}: its result would replace the input {target}")
        else:
            pairs.append((path, target))
    return pairs, failed, skipped


def _media_files(source: Path, out: Path, failed: list[str]) -> tuple[list[Path], Counter[str]]:
    """Return all files with the suffix of a picture or video, and count the others, but for those below `out`.

    Unreadable folders are reported in `failed`.
    """
    paths: list[Path] = []
    skipped: Counter[str] = Counter()
    for folder, _, names in os.walk(source, onerror=lambda error: failed.append(f"{error.filename}: {error.strerror}")):
        for path in (Path(folder, name) for name in names):
            suffix = path.suffix.lower()
            if suffix in (*PICTURE_SUFFIXES, *VIDEO_SUFFIXES):
                paths.append(path)
            elif not path.resolve().is_relative_to(out):
                skipped[suffix or "without suffix"] += 1
    return sorted(paths), skipped


def _is_writable(path: Path) -> bool:
    return path.suffix.lower() in (*WRITABLE_SUFFIXES, *WRITABLE_VIDEO_SUFFIXES)


def _other_suffix(path: Path) -> str:
    """Return the suffix of the result of a file whose own format is only read."""
    return ".jpg" if path.suffix.lower() in HEIC_SUFFIXES else ".mp4"


def _unique_targets(targets: dict[Path, Path]) -> dict[Path, Path]:
    """Rename files of formats that cannot be written; if clip.mp4 is taken, clip.avi becomes clip.avi.mp4."""
    taken = {str(target).casefold() for target in targets.values() if _is_writable(target)}
    unique = {}
    for path, target in targets.items():
        if not _is_writable(target):
            suffix = _other_suffix(target)
            longer, target = target, target.with_suffix(suffix)
            while str(target).casefold() in taken:
                target = longer = longer.with_name(f"{longer.name}{suffix}")
            taken.add(str(target).casefold())
        unique[path] = target
    return unique
