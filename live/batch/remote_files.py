"""Folders that are not on this machine: any address that fsspec can read and write, such as s3://bucket/films.

Each file is copied to the node that does it, and its result copied back in one request.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from engines.errors import SinkError, SourceError
from live.batch.manifest import SUFFIX, Manifest, Record
from live.picture_files.picture_reader import PICTURE_SUFFIXES
from live.recording.media_files import VIDEO_SUFFIXES, Media, unique_targets

_FLUSH_S = 5.0


def is_address(text: str) -> bool:
    """Whether this is an address of fsspec, such as s3://bucket/films, and not a path."""
    return "://" in text


def opened(address: str) -> tuple[Any, str]:
    """Return the file system of an address, and the path in it.

    Raises:
        SourceError: fsspec does not know such addresses, or needs a package for them.
    """
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(address, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise SourceError(f"address {address}", str(error), "install the package that fsspec needs for it") from None
    return system, str(path).rstrip("/")


def collect_remote(source: str, output: str) -> tuple[Media, dict[Path, tuple[int, int]], dict[Path, int]]:
    """List the pictures and films below an address.

    Returns:
        The files with their results, both relative; size and time of change of the inputs; sizes of the results.

    Raises:
        SourceError: The address cannot be read.
    """
    inputs, skipped = {}, Counter[str]()
    for path, info in _listed(source).items():
        if path.suffix.lower() in (*PICTURE_SUFFIXES, *VIDEO_SUFFIXES):
            inputs[path] = (int(info["size"]), _changed_ns(info))
        else:
            skipped[path.suffix.lower() or "without suffix"] += 1
    pairs = list(unique_targets({path: path for path in sorted(inputs)}).items())
    made = {path: int(info["size"]) for path, info in _listed(output, must_exist=False).items()}
    return Media(pairs, [], skipped), inputs, made


def _listed(address: str, *, must_exist: bool = True) -> dict[Path, dict[str, Any]]:
    system, root = opened(address)
    try:
        found = system.find(root, detail=True)
    except FileNotFoundError:
        found = {}
    except Exception as error:  # each file system raises its own
        raise SourceError(f"address {address}", str(error), "check the address and the access to it") from None
    if not found and must_exist:
        raise SourceError(f"input {address}", "there is no file below it", "check the address")
    return {Path(str(PurePosixPath(path).relative_to(root))): info for path, info in found.items()}


def _changed_ns(info: dict[str, Any]) -> int:
    changed = info.get("LastModified") or info.get("mtime") or info.get("last_modified") or 0
    return int((changed.timestamp() if hasattr(changed, "timestamp") else float(changed)) * 1e9)


def fetch(address: str, path: str, target: Path) -> None:
    """Copy a file to this machine. Raises OSError."""
    system, root = opened(address)
    with _as_os_errors():
        system.get_file(f"{root}/{path}", str(target))


def store(source: Path, address: str, path: str) -> None:
    """Copy a complete file to an address, where it appears complete or not at all (object stores). Raises OSError."""
    system, root = opened(address)
    with _as_os_errors():
        system.makedirs(str(PurePosixPath(f"{root}/{path}").parent), exist_ok=True)
        system.put_file(str(source), f"{root}/{path}")


def is_reachable(address: str) -> bool:
    """Whether an address answers."""
    system, root = opened(address)
    try:
        system.ls(PurePosixPath(root).parts[0])
    except Exception:  # each file system raises its own
        return False
    return True


@contextlib.contextmanager
def _as_os_errors() -> Iterator[None]:
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # each file system raises its own
        raise OSError(str(error)) from error


class RemoteManifest(Manifest):
    """The manifest of an address: objects OUT.veneer.jsonl/NUMBER, as object stores cannot append.

    New lines are stored as one object every few seconds; a driver that is killed loses those since.
    """

    def __init__(self, output: str) -> None:
        self._address = output.rstrip("/") + SUFFIX
        self._folder = Path(tempfile.mkdtemp(prefix="veneer-manifest-"))
        system, root = opened(self._address)
        with contextlib.suppress(FileNotFoundError), (self._folder / "lines").open("wb") as file:
            for path in sorted(system.find(root)):
                file.write(system.cat_file(path))
        self._new: list[bytes] = []
        self._stored_s = time.monotonic()
        super().__init__(self._folder / "lines")

    def append(self, record: Record) -> None:
        """See the base class."""
        self._new.append(record.line())
        if time.monotonic() - self._stored_s >= _FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Store the new lines.

        Raises:
            SinkError: The address cannot be written.
        """
        self._stored_s = time.monotonic()
        if not self._new:
            return
        system, root = opened(self._address)
        try:
            system.makedirs(root, exist_ok=True)
            system.pipe_file(f"{root}/{time.time_ns()}.jsonl", b"".join(self._new))
        except Exception as error:  # each file system raises its own
            raise SinkError(f"manifest {self._address}", str(error), "check the access to it") from None
        self._new.clear()

    def close(self) -> None:
        """Store the new lines, and delete the local copy."""
        self.flush()
        shutil.rmtree(self._folder, ignore_errors=True)
