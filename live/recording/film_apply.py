"""A look on one film or animation, through the live pipeline, complete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engines.errors import SinkError, SourceError, VeneerError
from engines.files import move_without_replacing
from engines.looks import Look
from engines.runtime.autotune_choice import with_chosen_sizes
from live.options import ApplyOptions, LiveOptions
from live.picture_files.picture_reader import PictureFile
from live.picture_files.picture_writer import ANIMATION_SUFFIXES
from live.pipeline.frame import Frame
from live.recording.encoders import EncoderSettings
from live.recording.recording_file import error_text, part_paths, remove_empty, reserve
from live.render.look_loader import Precisions
from live.render.privacy_policy import fallback_in_words
from live.session import Session, say
from live.sinks.animation_file import animation_sink, check_animation_target
from live.sinks.base import FrameSink
from live.sinks.seam_frames import SeamFrames
from live.sinks.segment_sink import SegmentSink
from live.sinks.video_file import VideoFileSink
from live.sources.base import FrameSource
from live.sources.picture_source import PictureSource
from live.sources.segment_source import FilmSegment, SegmentSource
from live.sources.source_factory import is_picture

OnFrame = Callable[[int, "int | None"], None]
"""Receives the number of frames that are done, and that of all frames if the file states it."""


@dataclass(frozen=True, slots=True)
class FilmResult:
    """What became of a film.

    Attributes:
        warning: What was wrong with a film that could be read only in part; None otherwise.
        frames: Number of frames in the result.
        engines: What rendered them; see `EngineInfo`.
        stages_s: Seconds of each stage; the stages overlap.
        seams: Of a segment: `SegmentSink.begin` and `after`.
    """

    warning: str | None
    frames: int
    engines: list[dict[str, Any]] = field(default_factory=list)
    stages_s: dict[str, float] = field(default_factory=dict)
    seams: tuple[SeamFrames, SeamFrames] = field(default_factory=lambda: (SeamFrames(), SeamFrames()))


def encoder_settings(options: ApplyOptions) -> EncoderSettings:
    """Return the settings of the video encoder."""
    return EncoderSettings(options.encoder, options.quality, options.preset, options.size_wh)


def live_options(source: Path, options: ApplyOptions) -> LiveOptions:
    """Return the options of the pipeline for a film."""
    return LiveOptions(
        source=str(source.absolute()),  # absolute, so that a file called "0" is not taken for a camera
        look=options.look,
        strength=options.strength,
        max_faces=options.max_faces,
        runtime=options.runtime,
        network=options.network,
        looks_file=options.looks_file,
    )


def apply_to_film(
    source: Path,
    output: Path,
    options: ApplyOptions,
    look: Look,
    on_frame: OnFrame,
    *,
    precisions: Precisions | None = None,
    segment: FilmSegment | None = None,
) -> FilmResult:
    """Process one video or animation; it is written beside the output and renamed when complete.

    Args:
        segment: Process only this part of a video, without its sound.

    Raises:
        VeneerError: It cannot be read, painted or written.
        KeyboardInterrupt: The run was stopped by a signal; the output is unchanged.
    """
    animation = PictureFile(source) if is_picture(source) else None
    check_animation_target(output, animation)
    try:
        part = reserve(part_paths(output))
    except OSError as error:
        raise SinkError(f"writing {output}", error_text(error), "choose another place") from None
    if part is None:
        raise SinkError(f"writing {output}", "a thousand unfinished files lie beside it", "delete them")
    try:
        if segment is not None:
            return _render_segment(source, output, part, segment, options, look, on_frame, precisions)
        return _render(source, output, part, animation, options, look, on_frame, precisions)
    except BaseException:
        remove_empty(part)
        raise


def _render(
    source: Path,
    output: Path,
    part: Path,
    animation: PictureFile | None,
    options: ApplyOptions,
    look: Look,
    on_frame: OnFrame,
    precisions: Precisions | None,
) -> FilmResult:
    """Process one video or animation into the reserved file `part`, and rename it to `output`."""
    keep = output.suffix.lower() in ANIMATION_SUFFIXES  # a video sink takes no pictures: they would fill the memory
    frames_of = PictureSource(source, repeat=False, keep=keep) if animation else None
    sink = animation_sink(part.absolute(), source, animation, frames_of) or VideoFileSink(
        part.absolute(), film=None if animation else source, settings=encoder_settings(options), reserved=True
    )
    session = _session(source, sink, frames_of, options, look, on_frame, precisions)
    try:
        report = session.run(says_damage=False)
    except VeneerError as error:
        if _has_content(part) and str(part) not in str(error):
            say(f"{source.name}: the completed part is in {part}")
        raise
    frames = report["frames_out"]
    on_frame(frames, frames)
    if session.pipeline.interrupted:
        kept = f"{part} holds them" if _has_content(part) else "none of them is kept"
        say(f"{source.name}: stopped after {frames} frames; {kept}")
        raise KeyboardInterrupt
    if frames == 0:
        raise SourceError(f"input {source}", "no frame could be read", "try to play it in a video player")
    _move(part, output, replace=not options.no_clobber)
    if look.covers and (faceless := frames - report["faces_found"]) > 0:
        say(f"{source.name}: no face found on {faceless} of {frames} frames; they show {fallback_in_words(look)}")
    warning, stages_s = session.pipeline.parts.source.warning, session.pipeline.timings.stage_seconds()
    return FilmResult(warning, frames, report["engines"], stages_s)


def _session(
    source: Path,
    sink: FrameSink,
    frames_of: FrameSource | None,
    options: ApplyOptions,
    look: Look,
    on_frame: OnFrame,
    precisions: Precisions | None,
) -> Session:
    def count(frame: Frame) -> None:
        info = session.pipeline.source_info
        on_frame(frame.frame_id + 1, info.frame_count if info else None)

    session = Session(
        live_options(source, options),
        source=frames_of,
        sinks=[sink],
        looks={look.name: with_chosen_sizes(look)},
        on_frame=count,
        ctl=False,
        precisions=precisions,
    )
    return session


def _render_segment(
    source: Path,
    output: Path,
    part: Path,
    segment: FilmSegment,
    options: ApplyOptions,
    look: Look,
    on_frame: OnFrame,
    precisions: Precisions | None,
) -> FilmResult:
    """Process a segment of a video into the reserved file `part`, and rename it to `output`."""
    frames_of = SegmentSource(source, segment)
    sink = SegmentSink(VideoFileSink(part.absolute(), settings=encoder_settings(options), reserved=True), segment)
    session = _session(source, sink, frames_of, options, look, on_frame, precisions)
    try:
        report = session.run(says_damage=False)
        if session.pipeline.interrupted:
            raise KeyboardInterrupt
        if sink.frames != segment.frames:
            got = f"segment {segment.number} has {sink.frames} of {segment.frames} frames"
            raise SourceError(f"input {source}", got, "try to play it in a video player")
        _move(part, output, replace=True)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    stages_s = session.pipeline.timings.stage_seconds()
    return FilmResult(frames_of.warning, sink.frames, report["engines"], stages_s, (sink.begin, sink.after))


def _has_content(part: Path) -> bool:
    return part.is_file() and part.stat().st_size > 0


def _move(part: Path, output: Path, *, replace: bool) -> None:
    try:
        if replace:
            part.replace(output)
        else:
            move_without_replacing(part, output)
    except FileExistsError:
        raise SinkError(f"writing {output}", "it was made meanwhile", f"the video is in {part}") from None
    except OSError as error:
        raise SinkError(f"writing {output}", error_text(error), f"the video is in {part}") from None
