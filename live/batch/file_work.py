"""The unit of work of `veneer apply`: one file, in this process, in another one or on another machine."""

from __future__ import annotations

import contextlib
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2

from engines.errors import LookError, VeneerError
from engines.files import move_without_replacing
from engines.looks import find_look
from engines.looks_file import load_looks
from engines.runtime.autotune_choice import stale_message
from engines.runtime.base import shared_cores
from live.batch.manifest import Record
from live.batch.recipe import recipe
from live.batch.remote_files import fetch, is_reachable, store
from live.options import ApplyOptions
from live.picture_files.picture_reader import PictureFile
from live.recording.film_apply import OnFrame, apply_to_film, encoder_settings
from live.recording.recording_file import error_text
from live.render.picture_renderer import PictureRenderer
from live.session import say
from live.sinks.seam_frames import seam_files, write_seam
from live.sources.segment_source import FilmSegment
from live.sources.source_factory import is_picture
from live.tracking.quiet_stderr import lines_to

_TEMPORARY = "veneer-file-"  # start of the names of temporary folders, which lines for the user do not name


class FolderGoneError(VeneerError):
    """A folder of the run is not there any more, such as a network drive; it may come back."""


@dataclass(frozen=True, slots=True)
class Item:
    """One file to do.

    Attributes:
        path: The input, relative to its folder, with forward slashes.
        source: The input.
        target: The result.
        input: Size in bytes and time of change in ns of the input.
        segment: Do only this part of a film.
        seam: Do only the frames after a seam, from the frames of both segments in these files; see `write_seam`.
    """

    path: str
    source: Path
    target: Path
    input: tuple[int, int]
    segment: FilmSegment | None = None
    seam: tuple[Path, Path] | None = None

    @property
    def name(self) -> str:
        """For the progress display."""
        return self.source.name + (f" {self.segment.number}/{self.segment.count}" if self.segment else "")


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """What is the same for all files of a run; it can be sent to other processes.

    Attributes:
        options: Options of the run.
        recipe: See `live.batch.recipe`.
        output: Folder of the results.
        staging: Folder for files that are being written, on the same file system; None writes them beside the result.
        folders: Folders without which no file can be done; checked if there is a staging folder.
        input_address: Where the inputs are, if they are not files here; see `live.batch.remote_files`.
        output_address: The same of the results.
        precisions: Runtime and precision of each style that all nodes use; otherwise each machine takes its best.
        node_cores: Processors of each node of a cluster whose tasks run on them only, by its id.
    """

    options: ApplyOptions
    recipe: dict[str, str] = field(default_factory=dict)
    output: Path = Path()
    staging: Path | None = None
    folders: tuple[Path, ...] = ()
    input_address: str = ""
    output_address: str = ""
    precisions: dict[str, tuple[str, str]] = field(default_factory=dict)
    node_cores: dict[str, int] = field(default_factory=dict)


class FileWork:
    """Does one file after the other; the tracker of pictures and its engines are loaded once."""

    def __init__(self, order: WorkOrder) -> None:
        self._order = order
        cv2.setNumThreads(shared_cores())
        self._look = find_look(load_looks(order.options.looks_file), order.options.look)
        if order.recipe and recipe(self._look, order.options) != order.recipe:
            got = f"the look, its weights or a version on {platform.node()} differ from those of the calling process"
            raise LookError(f"look {self._look.name!r}", got, "install the same there")
        self._renderer: PictureRenderer | None = None
        self._has_films = False

    def __call__(self, item: Item, on_frame: OnFrame = lambda *_: None) -> Record:
        """Do one file and return its record, also if it fails.

        Raises:
            FolderGoneError: A folder of the order is not there.
            LookError: The look cannot be used; no file can be done.
            KeyboardInterrupt: The run was stopped.
        """
        started_s = time.monotonic()
        if self._order.staging is not None:
            self._check_folders()
        record = Record(item.path, "failed", self._relative(item.target), item.input, recipe=self._order.recipe)
        try:
            with self._local(item) as (source, target):
                if item.seam is not None:
                    write_seam(item.seam, target, encoder_settings(self._order.options))
                    record = replace(record, state="done")
                else:
                    record = self._done(source, target, item, on_frame, record)
                record = replace(record, output_bytes=target.stat().st_size)
        except LookError:
            raise
        except (VeneerError, OSError) as error:
            self._check_folders()
            record = replace(record, state="failed", error=_text(error))
        return replace(record, seconds=round(time.monotonic() - started_s, 3))

    def takes(self, order: WorkOrder) -> bool:
        """Go on with another order if everything that is loaded serves it too; return whether it does."""
        if replace(order, precisions=self._order.precisions) != self._order:
            return False
        if order.precisions not in (self._order.precisions, self.precisions()):
            return False
        self._order = order
        return True

    def precisions(self) -> dict[str, tuple[str, str]]:
        """Return the runtime and the precision of each style of the look."""
        return {info.style: (info.runtime, info.precision) for info in self._pictures().engines()}

    def _pictures(self) -> PictureRenderer:
        order = self._order
        self._renderer = self._renderer or PictureRenderer(order.options, self._look, precisions=order.precisions)
        return self._renderer

    def close(self) -> None:
        """Close the tracker and the engines."""
        if self._renderer is not None:
            self._renderer.close()

    def _done(self, source: Path, target: Path, item: Item, on_frame: OnFrame, record: Record) -> Record:
        if is_picture(source) and (picture := PictureFile(source)).frame_count == 1:
            renderer = self._pictures()
            renderer(picture, target)
            on_frame(1, 1)
            found: list[dict[str, Any]] = [
                {"style": info.style, "runtime": info.runtime, "precision": info.precision}
                for info in renderer.engines()
            ]
            warning, frames, stages_s = "", 1, renderer.stages_s
        else:
            if not self._has_films and (stale := stale_message()):
                say(stale)
            self._has_films = True
            options, precisions = self._order.options, self._order.precisions
            result = apply_to_film(
                source, target, options, self._look, on_frame, precisions=precisions, segment=item.segment
            )
            warning, frames, found, stages_s = result.warning or "", result.frames, result.engines, result.stages_s
            for frames_of, path in zip(result.seams, seam_files(item.target), strict=True):
                if frames_of.times_s:
                    frames_of.save(path)
        precision = ", ".join(dict.fromkeys(f"{one['style']}: {one['runtime']} {one['precision']}" for one in found))
        stages_s = {name: round(seconds, 3) for name, seconds in stages_s.items()}
        state = "partial" if warning else "done"
        return replace(record, state=state, precision=precision, frames=frames, stages_s=stages_s, error=warning)

    @contextlib.contextmanager
    def _local(self, item: Item) -> Iterator[tuple[Path, Path]]:
        """Yield paths on this machine to read from and write to; a result gets its name when it is complete."""
        order = self._order
        if not (order.staging or order.input_address or order.output_address):
            item.target.parent.mkdir(parents=True, exist_ok=True)
            yield item.source, item.target
            return
        folder = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=order.staging))
        try:
            source, target = item.source, folder / "out" / item.target.name
            target.parent.mkdir()
            if order.input_address:
                source = folder / item.source.name
                fetch(order.input_address, item.path, source)
            yield source, target
            if order.output_address:
                store(target, order.output_address, item.target.as_posix())
            else:
                item.target.parent.mkdir(parents=True, exist_ok=True)
                keeps = order.options.no_clobber and item.segment is None and item.seam is None
                (move_without_replacing if keeps else Path.replace)(target, item.target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _check_folders(self) -> None:
        if self._order.staging is not None or self._order.input_address or self._order.output_address:
            check_folders(self._order)

    def _relative(self, target: Path) -> str:
        return target.relative_to(self._order.output).as_posix() if target.is_relative_to(self._order.output) else ""


def check_folders(order: WorkOrder) -> None:
    """Raise FolderGoneError if a folder of a run is not there."""
    gone = [str(folder) for folder in (*order.folders, order.staging) if folder is not None and not folder.is_dir()]
    addresses = [address for address in (order.input_address, order.output_address) if address]
    for name in gone + [address for address in addresses if not is_reachable(address)]:
        raise FolderGoneError(f"folder {name}", "it is not there any more", "connect it again")


def with_notes(work: FileWork, item: Item, on_frame: OnFrame = lambda *_: None) -> Record:
    """Do one file and return its record with the lines for the user, which would otherwise be printed here."""
    lines: list[str] = []
    with lines_to(lines.append):
        record = work(item, on_frame)
    notes = tuple(line.removeprefix("veneer: ") for line in lines if _TEMPORARY not in line)
    return replace(record, notes=notes, node=platform.node())


def _text(error: Exception) -> str:
    return str(error) if isinstance(error, VeneerError) else error_text(error)
