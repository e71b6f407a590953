"""`veneer apply`: looks on files; pictures one by one, videos and animations through the live pipeline, complete."""

from __future__ import annotations

import contextlib
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from engines.errors import OptionsError, SinkError, SourceError
from engines.files import check_writable
from engines.looks import Look, find_look
from engines.looks_file import load_looks
from engines.runtime.autotune_choice import stale_message
from live.batch.folder_apply import apply_to_addresses, apply_to_folder, apply_to_one_film
from live.batch.remote_files import is_address
from live.options import ApplyOptions
from live.picture_files.picture_reader import HEIC_SUFFIXES, PictureFile
from live.picture_files.picture_writer import picture_format
from live.recording.encoders import choose_encoder
from live.recording.film_apply import apply_to_film, encoder_settings
from live.recording.media_files import collect_media, is_writable, other_suffix
from live.recording.recording_file import FORMATS, error_text
from live.render.picture_renderer import PictureRenderer
from live.render.privacy_policy import rule_line
from live.session import say
from live.sinks.animation_file import check_animation_target
from live.sources.source_factory import is_picture

_OF_FILMS = ("encoder", "quality", "preset", "size_wh:size")
_OF_MANY = ("jobs", "cluster", "report", "prometheus", "log")  # files or segments of a film


def apply_command(source: str, output: str, options: ApplyOptions) -> int:
    """Apply the look of the options to a file, a folder, or the files below an address such as s3://bucket/films.

    Returns and raises as `apply_to`.
    """
    for name in ("report", "prometheus"):
        check_writable(f"--{name}", getattr(options, name))
    if not is_address(source) and not is_address(output):
        return apply_to(Path(source), Path(output), options)
    look = _look(options)
    with options.naming("encoder", "quality", "preset"):
        choose_encoder(encoder_settings(options), FORMATS[".mp4"])
    return apply_to_addresses(source, output, options, look)


def _look(options: ApplyOptions) -> Look:
    """Return the look, after its rule was said."""
    with options.naming("look"):
        look = find_look(load_looks(options.looks_file), options.look)
    if line := rule_line(look):
        say(line)
    return look


def apply_to(source: Path, output: Path, options: ApplyOptions) -> int:
    """Apply the look of the options to a file or a folder.

    Returns:
        The exit code: 0, or 2 if a video could be read only in part or if some files of a folder failed (each is
        reported).

    Raises:
        VeneerError: Nothing could be processed.
        KeyboardInterrupt: The user interrupted; existing output files are unchanged.
    """
    look = _look(options)
    try:
        output = _checked_output(source, output, options)
        found = collect_media(source, output) if source.is_dir() else None
    except (OSError, RuntimeError) as error:  # name too long, cyclic links, folder that may not be searched
        raise SourceError(f"apply {source} {output}", error_text(error), "check both paths") from None
    if not is_picture(source):
        with options.naming("encoder", "quality", "preset"):
            choose_encoder(encoder_settings(options), FORMATS.get(output.suffix.lower(), "matroska"))
    if found is not None:
        return apply_to_folder(source, output, found, options, look)
    _refuse(options, ("again",), f"it is for folders, and {source.name} is a file")
    if is_picture(source) and (picture := PictureFile(source)).frame_count == 1:
        picture_format(output)
        _refuse(options, (*_OF_FILMS, *_OF_MANY), f"it is for films, and {source.name} is a picture")
        with contextlib.closing(PictureRenderer(options, look)) as renderer:
            renderer(picture, output)
        return 0
    if any(getattr(options, name) != getattr(ApplyOptions(), name) for name in _OF_MANY):
        return apply_to_one_film(source, output, options, look)
    return _apply_to_one_film(source, output, options, look)


def _apply_to_one_film(source: Path, output: Path, options: ApplyOptions, look: Look) -> int:
    check_animation_target(output, PictureFile(source) if is_picture(source) else None)  # before the progress display
    if stale := stale_message():
        say(stale)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(source.name, total=None)

        def on_frame(done: int, total: int | None) -> None:
            progress.update(task, completed=done, total=total)

        damage = apply_to_film(source, output, options, look, on_frame).warning
    if damage:
        say(f"{source.name}: {damage}; {output} holds what could be read")
    return 2 if damage else 0


def _refuse(options: ApplyOptions, names: tuple[str, ...], got: str) -> None:
    """Raise OptionsError if the command line names one of these options; for each its field or `FIELD:OPTION`."""
    usual = ApplyOptions()
    for name, _, option in (one.partition(":") for one in names):
        value = getattr(options, name)
        if value != getattr(usual, name) and name not in options.places:
            asked = "" if value is True else f" {value[0]}x{value[1]}" if isinstance(value, tuple) else f" {value}"
            raise OptionsError(f"--{option or name}{asked}", got, "leave it out")


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
    if source.is_dir() and output.resolve().is_relative_to(source.resolve()):
        got = "it lies inside the input, whose files a second run would take for new ones"
        raise SinkError(f"output {output}", got, "name a folder beside the input")
    if options.no_clobber and output.is_file():
        raise SinkError(f"output {output}", "it exists", "name another file, or leave out --no-clobber")
    if not source.is_dir() and not output.absolute().parent.is_dir():
        raise SinkError(f"output {output}", f"there is no folder {output.absolute().parent}", "make it first")
    return output
