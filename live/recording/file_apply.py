"""`veneer apply`: looks on files; pictures one by one, videos through the live pipeline without dropping frames."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from engines.errors import LookError, SinkError, SourceError, VeneerError
from engines.looks import Look, find_look, load_looks
from live.options import ApplyOptions, LiveOptions
from live.pipeline.frame import Frame
from live.recording.encoders import EncoderSettings, choose_encoder
from live.recording.recording_file import FORMATS, check_target, error_text, part_paths
from live.recording.recording_file import SUFFIXES as WRITABLE_VIDEO_SUFFIXES
from live.render.picture_renderer import PictureRenderer
from live.session import Session, say
from live.sinks.video_file import VideoFileSink
from live.sources.source_factory import is_picture
from live.sources.still_picture import PICTURE_SUFFIXES

VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts")


def apply_to(source: Path, output: Path, options: ApplyOptions) -> int:
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
        output = _checked_output(source, output, options)
        found = _collect(source, output) if source.is_dir() else None
    except (OSError, RuntimeError) as error:  # name too long, cyclic links, folder that may not be searched
        raise SourceError(f"apply {source} {output}", error_text(error), "check both paths") from None
    if not is_picture(source):
        choose_encoder(_encoder_settings(options), FORMATS.get(output.suffix.lower(), "matroska"))
    if found is not None:
        return _apply_to_folder(source, output, *found, options, look)
    if is_picture(source):
        with contextlib.closing(PictureRenderer(options, look)) as renderer:
            renderer(source, output)
        return 0
    with _progress() as progress:
        return 2 if _apply_to_video(source, output, options, progress) else 0


def _encoder_settings(options: ApplyOptions) -> EncoderSettings:
    return EncoderSettings(options.encoder, options.quality, options.preset, options.size_wh)


def _checked_output(source: Path, output: Path, options: ApplyOptions) -> Path:
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
        if not is_picture(source) and output.suffix.lower() not in WRITABLE_VIDEO_SUFFIXES:
            output = output.with_suffix(".mp4")
    if output.exists() and output.samefile(source):
        raise SinkError(f"output {output}", "it is the input itself", "name another file, so that nothing is lost")
    if options.no_clobber and output.is_file():
        raise SinkError(f"output {output}", "it exists", "name another file, or leave out --no-clobber")
    if not source.is_dir() and not output.absolute().parent.is_dir():
        raise SinkError(f"output {output}", f"there is no folder {output.absolute().parent}", "make it first")
    return output


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def _apply_to_video(source: Path, output: Path, options: ApplyOptions, progress: Progress) -> str | None:
    """Process one video; it is written beside the output and renamed when complete.

    Returns:
        What was wrong with an input that could be read only in part; None otherwise.
    """
    check_target(output)
    part = next((path for path in part_paths(output) if not os.path.lexists(path)), None)
    if part is None:
        raise SinkError(f"writing {output}", "a thousand unfinished files lie beside it", "delete them")
    task = progress.add_task(source.name, total=None)

    def on_frame(frame: Frame) -> None:
        info = session.pipeline.source_info
        progress.update(task, completed=frame.frame_id + 1, total=info.frame_count if info else None)

    live_options = LiveOptions(
        source=str(source.absolute()),  # absolute, so that a file called "0" is not taken for a camera
        look=options.look,
        strength=options.strength,
        max_faces=options.max_faces,
        runtime=options.runtime,
        looks_file=options.looks_file,
    )
    sink = VideoFileSink(part.absolute(), film=source, settings=_encoder_settings(options))
    session = Session(live_options, sinks=[sink], on_frame=on_frame, ctl=False)
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
    if options.no_clobber and output.exists():
        raise SinkError(f"writing {output}", "it was made meanwhile", f"the video is in {part}")
    try:
        part.replace(output)
    except OSError as error:
        raise SinkError(f"writing {output}", error_text(error), f"the video is in {part}") from None
    warning = session.pipeline.parts.source.warning
    if warning:
        say(f"{source.name}: {frames} frames could be read; {output} holds them")
    return warning


Pairs = list[tuple[Path, Path]]
"""Input and output files."""


def _apply_to_folder(
    source: Path, output: Path, pairs: Pairs, failed: list[str], options: ApplyOptions, look: Look
) -> int:
    """Process the files of a folder; an error is recorded and does not stop the others."""
    total, done, partial = len(pairs) + len(failed), 0, []
    kept = [target for _, target in pairs if options.no_clobber and target.exists()]
    pairs = [(path, target) for path, target in pairs if target not in kept]
    if not total:
        raise SourceError(f"input {source}", "no pictures or videos in that folder", "name another one")
    renderer = PictureRenderer(options, look)
    try:
        with contextlib.closing(renderer), _progress() as progress:
            for path, target in progress.track(pairs, description=source.name):
                try:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    if path.suffix.lower() in PICTURE_SUFFIXES:
                        renderer(path, target)
                    elif warning := _apply_to_video(path, target, options, progress):
                        partial.append(f"done in part: {path.name}: {warning}")
                    done += 1
                except LookError:
                    raise
                except (VeneerError, OSError) as error:
                    failed.append(f"{path.name}: {error}")
    finally:
        existing = f"; {len(kept)} existed and were kept" if kept else ""
        say(f"{done} of {total} files done in {output}{existing}")
        for line in partial + [f"not done: {line}" for line in failed]:
            say(line)
    return 2 if failed or partial else 0


def _collect(source: Path, output: Path) -> tuple[Pairs, list[str]]:
    """List the pictures and videos below a folder with their outputs, and one message for each that cannot be done.

    No output replaces an input or another output.
    """
    root, out = source.resolve(), output.resolve()
    inputs: dict[Path, Path] = {}
    failed: list[str] = []
    for path in _media_files(source, failed):
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
    return pairs, failed


def _media_files(source: Path, failed: list[str]) -> list[Path]:
    """Return all files with the suffix of a picture or video; report unreadable folders in `failed`."""
    suffixes, paths = (*PICTURE_SUFFIXES, *VIDEO_SUFFIXES), []
    for folder, _, names in os.walk(source, onerror=lambda error: failed.append(f"{error.filename}: {error.strerror}")):
        paths += [Path(folder, name) for name in names if Path(name).suffix.lower() in suffixes]
    return sorted(paths)


def _unique_targets(targets: dict[Path, Path]) -> dict[Path, Path]:
    """Rename videos of formats that cannot be written to .mp4; if that name is taken, clip.avi becomes clip.avi.mp4."""
    writable = (*PICTURE_SUFFIXES, *WRITABLE_VIDEO_SUFFIXES)
    taken = {str(target).casefold() for target in targets.values() if target.suffix.lower() in writable}
    unique = {}
    for path, target in targets.items():
        if target.suffix.lower() not in writable:
            longer, target = target, target.with_suffix(".mp4")
            while str(target).casefold() in taken:
                target = longer = longer.with_name(f"{longer.name}.mp4")
            taken.add(str(target).casefold())
        unique[path] = target
    return unique
