"""Long films in segments: each is an item of its own for a process or node; the calling process joins them."""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from engines.errors import VeneerError
from engines.files import move_without_replacing
from live.batch.batch_progress import BatchProgress
from live.batch.file_work import Item, WorkOrder
from live.batch.job_processes import wait_for_folders
from live.batch.kept_segments import KeptSegments
from live.batch.manifest import Record
from live.recording.film_join import join_segments
from live.recording.media_files import VIDEO_SUFFIXES
from live.recording.recording_file import SUFFIXES
from live.session import say
from live.sinks.seam_frames import seam_files, seam_levels
from live.sources.segment_source import FilmSegment, film_index

Runner = Callable[[WorkOrder, "deque[Item]", BatchProgress], Iterator[Record]]
"""Does files and yields their records in any order; takes them from the left, where more may be added meanwhile."""

SEGMENT_S = 60.0  # shorter ones would spend more than a tenth of their time on the overlap
_PARTS = 8  # for each worker: the last one to end has an eighth of its work left at most
_MAX_SEAM = 24.0  # levels: two frames of a film that follow each other usually differ by more


@dataclass(slots=True)
class _Film:
    """A film, its segments and later its seams by path, and the records of those that are done."""

    item: Item
    kept: KeptSegments
    segments: dict[str, Item] = field(default_factory=dict)
    seams: dict[str, Item] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)

    def ordered(self) -> list[Record]:
        """Return the records in the order of the segments."""
        return [self.records[path] for path in self.segments]

    def is_complete(self) -> bool:
        """Whether all segments and seams so far are done, or have failed."""
        return len(self.records) == len(self.segments) + len(self.seams)

    def files(self) -> list[Path]:
        """Return the files of seams and segments in the order of their frames."""
        targets = [item.target for item in self.segments.values()]
        seams = [item.target for item in self.seams.values()]
        return [targets[0], *(path for pair in zip(seams, targets[1:], strict=True) for path in pair)]


class DividedFilms:
    """Divides long films, and makes one record of those of their segments.

    Args:
        order: See `WorkOrder`. Films are divided if it has a staging folder and no addresses.
        workers: Number of processes that do the items.
    """

    def __init__(self, order: WorkOrder, workers: int) -> None:
        self._order, self._workers = order, workers
        self._films: dict[str, _Film] = {}  # by the path of each segment
        self._complete: list[_Film] = []  # by a run that was interrupted before it joined them

    def divided(self, items: Sequence[Item]) -> list[Item]:
        """Return the items, with segments in place of films that are a large part of what one worker has to do."""
        if self._order.staging is None or self._order.input_address:
            return list(items)
        films = [item for item in items if item.source.suffix.lower() in VIDEO_SUFFIXES]
        most_bytes = sum(item.input[0] for item in films) / (_PARTS * self._workers)
        large = {item.path for item in films if item.input[0] > most_bytes and item.target.suffix.lower() in SUFFIXES}
        return [one for item in items for one in (self._segments(item, most_bytes) if item.path in large else [item])]

    def run(self, runner: Runner, items: list[Item], progress: BatchProgress) -> Iterator[Record]:
        """Do the items and yield the records of files in the order in which they are finished."""
        queue = deque(items)
        for complete in self._complete:
            yield from self._ended(complete, queue, progress)
        while queue:
            for record in runner(self._order, queue, progress):
                film = self._films.get(record.path)
                if film is None:
                    yield record
                    continue
                film.records[record.path] = record
                if record.state == "done" and record.path in film.segments:
                    film.kept.keep_record(film.segments[record.path].target, record)
                if film.is_complete():
                    yield from self._ended(film, queue, progress)

    def _ended(self, film: _Film, queue: deque[Item], progress: BatchProgress) -> Iterator[Record]:
        """Yield the record of a film whose segments are all done, or put the items that it still needs in front."""
        more, finished = self._finished(film)
        progress.add(more)
        queue.extendleft(reversed(more))
        if finished is not None:
            yield finished

    def _segments(self, item: Item, most_bytes: float) -> list[Item]:
        """Return the segments of a film, or the film itself if it cannot be divided."""
        kept = KeptSegments(self._order, item)
        segments = kept.division() or self._division(item, most_bytes)
        if len(segments) < 2:
            return [item]
        kept.keep_division(segments)
        size, changed_ns = item.input
        frames = sum(segment.frames for segment in segments)
        film = _Film(item, kept)
        for segment in segments:
            path = f"{item.path}/{segment.number} of {segment.count}"  # no file below a file has this name
            target = kept.folder / f"{segment.number}.mp4"
            share = size * segment.frames // frames
            film.segments[path] = Item(path, item.source, target, (share, changed_ns), segment)
            if (record := kept.record(target)) is not None:
                film.records[path] = record
        self._films.update(dict.fromkeys(film.segments, film))
        if film.records:
            say(f"{item.source.name}: {len(film.records)} of {len(segments)} segments were done before")
        if film.is_complete():
            self._complete.append(film)
        return [segment for path, segment in film.segments.items() if path not in film.records]

    def _division(self, item: Item, most_bytes: float) -> list[FilmSegment]:
        """Return the segments that a film is to have; none if it cannot be divided."""
        index = film_index(item.source)
        if index is None:
            return []
        count = min(round(index.length_s / SEGMENT_S), round(item.input[0] / most_bytes))
        if count > self._workers:
            count = -(-count // self._workers) * self._workers
        return index.segments(count)

    def _finished(self, film: _Film) -> tuple[list[Item], Record | None]:
        """Join the segments of a film; return what is to be done before, and the film's record when it is finished."""
        records = [*film.ordered(), *(film.records[path] for path in film.seams)]
        if any(record.state == "quarantined" for record in records):
            worst = next(record for record in records if record.state == "quarantined")
            return [], self._closed(film, replace(worst, path=film.item.path, input=film.item.input))
        is_uniform = len({record.precision for record in film.ordered()}) == 1
        if not is_uniform or any(record.state != "done" for record in records):
            return self._whole(film)
        while True:
            try:
                if not film.seams:
                    return self._longer(film) or self._seams(film), None
                return [], self._closed(film, self._joined(film))
            except (VeneerError, OSError):
                if not wait_for_folders(self._order):
                    return self._whole(film)

    def _longer(self, film: _Film) -> list[Item]:
        """Return, with a longer overlap, the segments whose first frame is another than that of the segment before."""
        again: list[Item] = []
        for before, after in itertools.pairwise(film.segments.values()):
            levels = seam_levels(seam_files(before.target)[1], seam_files(after.target)[0])
            if levels > _MAX_SEAM and after.segment is not None and after.segment.from_s > 0:
                again.append(replace(after, segment=after.segment.longer()))
        for item in again:
            film.segments[item.path] = item
            del film.records[item.path]
        return again

    def _seams(self, film: _Film) -> list[Item]:
        """Return the seams: at each the segment before it fades into the one after it."""
        for before, after in itertools.pairwise(film.segments.values()):
            path, frames = f"{after.path} seam", (seam_files(before.target)[1], seam_files(after.target)[0])
            target = after.target.with_suffix(".seam.mp4")
            film.seams[path] = Item(path, film.item.source, target, (0, film.item.input[1]), seam=frames)
        self._films.update(dict.fromkeys(film.seams, film))
        return list(film.seams.values())

    def _whole(self, film: _Film) -> tuple[list[Item], None]:
        """Discard the segments of a film and process it as a whole, which also reports its errors."""
        self._forget(film)
        return [film.item], None

    def _joined(self, film: _Film) -> Record:
        """Join the segments, and return the record of the film."""
        item, records = film.item, film.ordered()
        joined = film.kept.folder / f"joined{item.target.suffix}"
        joined.unlink(missing_ok=True)
        warning = join_segments(film.files(), item.source, joined)
        item.target.parent.mkdir(parents=True, exist_ok=True)
        size = joined.stat().st_size
        (move_without_replacing if self._order.options.no_clobber else Path.replace)(joined, item.target)
        stages_s = Counter[str]()
        for record in records:
            stages_s.update(record.stages_s)
        notes = dict.fromkeys(note for record in records for note in record.notes)
        output = item.target.relative_to(self._order.output).as_posix()
        return replace(
            records[0],
            path=item.path,
            output=output,
            input=item.input,
            output_bytes=size,
            frames=sum(record.frames for record in records),
            seconds=round(sum(record.seconds for record in records), 3),
            stages_s={name: round(seconds, 3) for name, seconds in stages_s.items()},
            tries=max(record.tries for record in records),
            notes=(*notes, *([warning] if warning else ())),
        )

    def _closed(self, film: _Film, record: Record) -> Record:
        self._forget(film)
        return record

    def _forget(self, film: _Film) -> None:
        for path in (*film.segments, *film.seams):
            del self._films[path]
        with contextlib.suppress(OSError):
            shutil.rmtree(film.kept.folder)
