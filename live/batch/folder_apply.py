"""`veneer apply FOLDER OUT`: the files that are missing or changed, by one process, several, or a cluster."""

from __future__ import annotations

import contextlib
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path

from engines.errors import OptionsError, SinkError, SourceError
from engines.looks import Look
from engines.runtime.base import usable_cores
from live.batch.batch_progress import BatchProgress
from live.batch.batch_report import BatchReport, log_as_json
from live.batch.divided_films import DividedFilms, Runner
from live.batch.file_work import FileWork, Item, WorkOrder
from live.batch.folder_plan import Plan, bytes_here, input_here, make_plan
from live.batch.job_processes import JobProcesses, wait_for_folders
from live.batch.manifest import SUFFIX, Manifest, Record
from live.batch.recipe import recipe
from live.batch.remote_files import RemoteManifest, collect_remote, is_address
from live.batch.staging import staged
from live.options import ApplyOptions
from live.recording.media_files import Media
from live.recording.recording_file import error_text
from live.session import say


def apply_to_folder(source: Path, output: Path, media: Media, options: ApplyOptions, look: Look) -> int:
    """Process the files of a folder; an error is recorded and does not stop the others.

    Returns:
        The exit code: 0, or 2 if files failed or could be read only in part.

    Raises:
        VeneerError: There is nothing to do, or a folder or the look cannot be used.
        KeyboardInterrupt: The user interrupted; what is done stays done.
    """
    _check_not_empty(source, media)
    order = WorkOrder(options, recipe(look, options), output)
    manifest = Manifest(manifest_path(output))
    plan = make_plan(order, source, media.pairs, manifest, input_here, bytes_here)
    output.mkdir(parents=True, exist_ok=True)
    with staged(order, source, output) as order:
        return _do(order, source.name, media, plan, manifest)


def apply_to_one_film(source: Path, output: Path, options: ApplyOptions, look: Look) -> int:
    """Process one film by several processes or a cluster, or with a report; there is no manifest.

    Returns and raises as `apply_to_folder`.
    """
    order = WorkOrder(options, recipe(look, options), output.parent)
    plan = Plan([Item(source.name, source, output, input_here(source))])
    with staged(order, source.parent, output) as order:
        return _do(order, source.name, Media([(source, output)], [], Counter()), plan, None)


def apply_to_addresses(source: str, output: str, options: ApplyOptions, look: Look) -> int:
    """Process the files below an address of fsspec, such as s3://bucket/in, into another; see `apply_to_folder`.

    Raises:
        OptionsError: One of the two is a path.
    """
    if not (is_address(source) and is_address(output)):
        got = "one is an address and the other a path"
        raise OptionsError(
            f"apply {source} {output}", got, "name two addresses, such as s3://bucket/in, or two folders"
        )
    media, inputs, made = collect_remote(source, output)
    _check_not_empty(source, media)
    order = WorkOrder(options, recipe(look, options), input_address=source, output_address=output)
    with contextlib.closing(RemoteManifest(output)) as manifest:
        plan = make_plan(order, Path(), media.pairs, manifest, inputs.__getitem__, made.get)
        return _do(order, source, media, plan, manifest)


def manifest_path(output: Path) -> Path:
    """Return the path of the manifest: beside the output folder, with its name."""
    folder = output.absolute()
    return folder.with_name(f"{folder.name}{SUFFIX}")


def _do(order: WorkOrder, name: str, media: Media, plan: Plan, manifest: Manifest | None) -> int:
    """Do what is to be done, say what was, and return the exit code."""
    options, output = order.options, order.output_address or order.output
    report = BatchReport(plan, media.failed, len(media.pairs) + len(media.failed))
    json_log = options.log == "json"
    with contextlib.ExitStack() as stack:
        workers = stack.enter_context(_workers(options))
        if json_log:
            stack.enter_context(log_as_json())
        try:
            films = DividedFilms(order, workers)
            items = films.divided(plan.items)
            with BatchProgress(name, items, shown=not json_log) as progress:
                for record in films.run(_runner(options), items, progress):
                    for note in record.notes:
                        say(note)
                    if manifest is not None:
                        _append(manifest, record, order)
                    report.count(record)
        finally:
            for line in report.lines(str(output)):
                say(line)
            if media.skipped:
                say(f"skipped, as they are no pictures or videos: {_kinds(media)}")
            report.write(options.report, options.prometheus)
    return 2 if report.failed or report.partial else 0


@contextlib.contextmanager
def _workers(options: ApplyOptions) -> Iterator[int]:
    """Connect to the cluster, if there is to be one, and yield the number of processes that work at the same time."""
    if options.cluster is None:
        yield options.jobs or usable_cores()
        return
    from live.batch.ray_batch import connected

    with connected(options.cluster) as processors:
        yield max(1, processors)


def _runner(options: ApplyOptions) -> Runner:
    if options.cluster is not None:
        from live.batch.ray_batch import run_on_cluster

        return run_on_cluster
    return _run_here if options.jobs == 1 else _run_in_processes


def _run_here(order: WorkOrder, items: deque[Item], progress: BatchProgress) -> Iterator[Record]:
    """Do the files one after the other in this process."""
    work = FileWork(order)
    try:
        while items:
            item = items.popleft()
            record = work(item, lambda done, total, item=item: progress.frames("", item, done, total))  # type: ignore[misc]
            progress.finished("", item, record)
            yield record
    finally:
        work.close()


def _run_in_processes(order: WorkOrder, items: deque[Item], progress: BatchProgress) -> Iterator[Record]:
    return JobProcesses(order, order.options.jobs, progress).run(items)


def _append(manifest: Manifest, record: Record, order: WorkOrder) -> None:
    while True:
        try:
            manifest.append(record)
            return
        except FileNotFoundError:
            if order.staging is None:
                raise
            wait_for_folders(order)
        except OSError as error:
            do = "make room, or name another output"
            raise SinkError(f"manifest {manifest.path}", error_text(error), do) from None


def _check_not_empty(source: Path | str, media: Media) -> None:
    if not media.pairs and not media.failed:
        got = "no pictures or videos in that folder" + (f", only {_kinds(media)}" if media.skipped else "")
        raise SourceError(f"input {source}", got, "name another one")


def _kinds(media: Media) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(media.skipped.items()))
