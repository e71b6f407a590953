"""`veneer apply`: looks on files; pictures one by one, videos and animations through the live pipeline, complete."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from engines.errors import LookError, OptionsError, SinkError, SourceError, VeneerError
from engines.files import move_without_replacing
from engines.looks import Look, find_look, load_looks
from live.options import ApplyOptions, LiveOptions
from live.picture_files.picture_reader import HEIC_SUFFIXES, PictureFile
from live.picture_files.picture_writer import ANIMATION_SUFFIXES, picture_format
from live.pipeline.frame import Frame
from live.recording.encoders import EncoderSettings, choose_encoder
from live.recording.media_files import Pairs, collect_media, is_writable, other_suffix
from live.recording.recording_file import FORMATS, error_text, part_paths
from live.render.picture_renderer import PictureRenderer
from live.render.privacy_policy import rule_line
from live.session import Session, say
from live.sinks.animation_file import animation_sink, check_animation_target
from live.sinks.video_file import VideoFileSink
from live.sources.picture_source import PictureSource
from live.sources.source_factory import is_picture


def apply_to(source: Path, output: Path, options: ApplyOptions) -> int:
    """Apply the look of the options to a file or a folder.

    Returns:
        The exit code: 0, or 2 if a video could be read only in part or if some files of a folder failed (each is
        reported).

    Raises:
        VeneerError: Nothing could be processed.
        KeyboardInterrupt: The user interrupted; existing output files are unchanged.
    """
    looks = load_looks(options.looks_file)
    with options.naming("look"):
        look = find_look(looks, options.look)
    if line := rule_line(look):
        say(line)
    try:
        output = _checked_output(source, output, options)
        found = collect_media(source, output) if source.is_dir() else None
    except (OSError, RuntimeError) as error:  # name too long, cyclic links, folder that may not be searched
        raise SourceError(f"apply {source} {output}", error_text(error), "check both paths") from None
    if not is_picture(source):
        with options.naming("encoder", "quality", "preset"):
            choose_encoder(_encoder_settings(options), FORMATS.get(output.suffix.lower(), "matroska"))
    if found is not None:
        return _apply_to_folder(source, output, *found, options, look)
    if is_picture(source) and (picture := PictureFile(source)).frame_count == 1:
        picture_format(output)
        _refuse_film_options(source, options)
        with contextlib.closing(PictureRenderer(options, look)) as renderer:
            renderer(picture, output)
        return 0
    with _progress() as progress:
        return 2 if _apply_to_video(source, output, options, progress) else 0


def _encoder_settings(options: ApplyOptions) -> EncoderSettings:
    return EncoderSettings(options.encoder, options.quality, options.preset, options.size_wh)


def _refuse_film_options(source: Path, options: ApplyOptions) -> None:
    """Raise OptionsError if the command line names options that a still picture does not have."""
    usual = ApplyOptions()
    for name, option in (("encoder", "encoder"), ("quality", "quality"), ("preset", "preset"), ("size_wh", "size")):
        value = getattr(options, name)
        if value != getattr(usual, name) and name not in options.places:
            got = f"it is for films, and {source.name} is a picture"
            asked = f"{value[0]}x{value[1]}" if isinstance(value, tuple) else value
            raise OptionsError(f"--{option} {asked}", got, "leave it out")


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
        if output.suffix.lower() in HEIC_SUFFIXES or not (is_picture(source) or is_writable(output)):
            output = output.with_suffix(other_suffix(output))
    if output.exists() and output.samefile(source):
        kind = "folder" if source.is_dir() else "file"
        raise SinkError(f"output {output}", "it is the input itself", f"name another {kind}, so that nothing is lost")
    if options.no_clobber and output.is_file():
        raise SinkError(f"output {output}", "it exists", "name another file, or leave out --no-clobber")
    if not source.is_dir() and not output.absolute().parent.is_dir():
        raise SinkError(f"output {output}", f"there is no folder {output.absolute().parent}", "make it first")
    return output


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def _apply_to_video(source: Path, output: Path, options: ApplyOptions, progress: Progress) -> str | None:
    """Process one video or animation; it is written beside the output and renamed when complete.

    Returns:
        What was wrong with an input that could be read only in part; None otherwise.
    """
    animation = PictureFile(source) if is_picture(source) else None
    check_animation_target(output, animation)
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
    keep = output.suffix.lower() in ANIMATION_SUFFIXES  # a video sink takes no pictures: they would fill the memory
    frames_of = PictureSource(source, repeat=False, keep=keep) if animation else None
    sink = animation_sink(part.absolute(), source, animation, frames_of) or VideoFileSink(
        part.absolute(), film=None if animation else source, settings=_encoder_settings(options)
    )
    session = Session(live_options, source=frames_of, sinks=[sink], on_frame=on_frame, ctl=False)
    try:
        report = session.run()
    except VeneerError as error:
        if part.exists() and str(part) not in str(error):
            say(f"{source.name}: the completed part is in {part}")
        raise
    frames = report["frames_out"]
    progress.update(task, completed=frames, total=frames)
    if session.pipeline.interrupted:
        kept = f"{part} holds them" if part.exists() else "none of them is kept"
        say(f"{source.name}: stopped after {frames} frames; {kept}")
        raise KeyboardInterrupt
    if frames == 0:
        raise SourceError(f"input {source}", "no frame could be read", "try to play it in a video player")
    try:
        if options.no_clobber:
            move_without_replacing(part, output)
        else:
            part.replace(output)
    except FileExistsError:
        raise SinkError(f"writing {output}", "it was made meanwhile", f"the video is in {part}") from None
    except OSError as error:
        raise SinkError(f"writing {output}", error_text(error), f"the video is in {part}") from None
    warning = session.pipeline.parts.source.warning
    if warning:
        say(f"{source.name}: {frames} frames could be read; {output} holds them")
    return warning


def _apply_to_folder(
    source: Path,
    output: Path,
    pairs: Pairs,
    failed: list[str],
    skipped: Counter[str],
    options: ApplyOptions,
    look: Look,
) -> int:
    """Process the files of a folder; an error is recorded and does not stop the others."""
    total, done, existed, partial = len(pairs) + len(failed), 0, 0, []
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(skipped.items()))
    if not total:
        got = "no pictures or videos in that folder" + (f", only {kinds}" if kinds else "")
        raise SourceError(f"input {source}", got, "name another one")
    renderer = PictureRenderer(options, look)
    try:
        with contextlib.closing(renderer), _progress() as progress:
            for path, target in progress.track(pairs, description=source.name):
                if options.no_clobber and target.exists():
                    existed += 1
                    continue
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
        existing = f"; {existed} existed and were kept" if existed else ""
        say(f"{done} of {total} files done in {output}{existing}")
        if skipped:
            say(f"skipped, as they are no pictures or videos: {kinds}")
        for line in partial + [f"not done: {line}" for line in failed]:
            say(line)
    return 2 if failed or partial else 0
