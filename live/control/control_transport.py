"""Connections between two programs of one user: a Unix socket, or a loopback port with a token file.

Each running program has one file, named after its process id, in a folder that only the user can read. The file is
renamed into place once the program listens, so a file whose program refuses connections belongs to an ended program.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import socket
import stat
import struct
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from engines.errors import OptionsError
from engines.paths import runtime_dir
from engines.untrusted_files import read_whole

# The kernel's limit for the path of a Unix socket is 108 bytes on Linux and 104 on macOS.
PATH_LIMIT_BYTES = 100
_BACKLOG = 16
_MAX_FILE_BYTES = 4096


class Transport:
    """A folder of this user only, with one file per running program. Subclasses define the file."""

    suffix = ""
    family = socket.AF_INET
    # errors of `connect` that mean that the program has ended
    gone: tuple[type[OSError], ...] = (OSError,)

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or runtime_dir()

    def listen(self, pid: int) -> socket.socket:
        """Return a listening socket under this process id; removes the files of ended programs first.

        Raises:
            OptionsError: The folder cannot be created or belongs to another user, or this process listens already.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_folder()
            for other in set(self.pids()) - set(self.running()):
                self.forget(other)
            if self._file(pid).exists():
                raise OptionsError(f"control of process {pid}", "this process listens already", "start one server only")
            return self._listen(pid)
        except OSError as error:
            requested, reason = f"control folder {self.folder}", error.strerror or str(error)
            raise OptionsError(requested, reason, "set VENEER_HOME to a folder of this user") from error

    def pids(self) -> list[int]:
        """Return the process ids of all files, ended programs included. Raises OptionsError for a foreign folder."""
        if not os.path.lexists(self.folder):
            return []
        self._check_folder()
        numbers = [path.stem.removeprefix("veneer-") for path in self.folder.glob(f"veneer-*{self.suffix}")]
        return sorted(int(number) for number in numbers if number.isascii() and number.isdigit())

    def running(self) -> list[int]:
        """Return the process ids of the programs that accept connections or are too busy to."""
        return [pid for pid in self.pids() if self._is_running(pid) is not False]

    def forget(self, pid: int) -> None:
        """Remove a program's file, if it exists."""
        self._file(pid).unlink(missing_ok=True)

    def connect(self, pid: int, timeout_s: float) -> socket.socket:
        """Connect to the program; the socket has this timeout. Raises OSError."""
        raise NotImplementedError

    def credentials(self, pid: int) -> dict[str, str]:
        """Return the fields that a request to this program needs in addition to the words."""
        return {}

    def refuses_peer(self, connection: socket.socket) -> bool:
        """Whether the client belongs to another user."""
        return False

    def refuses_request(self, request: Mapping[str, object]) -> bool:
        """Whether the request lacks the fields of `credentials`."""
        return False

    def _listen(self, pid: int) -> socket.socket:
        part_file = self._file(pid).with_name(self._file(pid).name + ".new")
        part_file.unlink(missing_ok=True)
        listener = socket.socket(self.family, socket.SOCK_STREAM)
        try:
            self._bind(listener, part_file)
            listener.listen(_BACKLOG)
            part_file.replace(self._file(pid))
        except BaseException:
            listener.close()
            part_file.unlink(missing_ok=True)
            raise
        return listener

    def _bind(self, listener: socket.socket, file: Path) -> None:
        """Bind the socket and create the program's file."""
        raise NotImplementedError

    def _file(self, pid: int) -> Path:
        return self.folder / f"veneer-{pid}{self.suffix}"

    def _is_running(self, pid: int) -> bool | None:
        """Whether the program accepts connections; None if it is too busy to tell."""
        try:
            self.connect(pid, timeout_s=0.5).close()
        except self.gone:
            return False
        except OSError:
            return None
        return True

    def _check_folder(self) -> None:
        info = self.folder.lstat()
        if not stat.S_ISDIR(info.st_mode) or (sys.platform != "win32" and info.st_uid != os.getuid()):
            requested = f"control folder {self.folder}"
            raise OptionsError(requested, "not a folder of this user", "remove it, or set VENEER_HOME")
        if info.st_mode & 0o077 and sys.platform != "win32":
            self.folder.chmod(0o700)


class UnixTransport(Transport):
    """A Unix socket with mode 0600 in a folder with mode 0700; Linux also reports the client's user."""

    suffix = ".sock"
    family = getattr(socket, "AF_UNIX", socket.AF_INET)  # Windows has none
    gone = (ConnectionRefusedError, FileNotFoundError)

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(folder)
        if len(os.fsencode(self.folder)) + len("/veneer-4294967296.sock.new") > PATH_LIMIT_BYTES:
            # Too long for a socket: a short name that both sides derive. `_check_folder` detects a foreign folder.
            digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]
            self.folder = Path(tempfile.gettempdir()) / f"veneer-{os.getuid()}-{digest}"

    def connect(self, pid: int, timeout_s: float) -> socket.socket:  # noqa: D102
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout_s)
            connection.connect(str(self._file(pid)))
        except BaseException:
            connection.close()
            raise
        return connection

    def refuses_peer(self, connection: socket.socket) -> bool:  # noqa: D102
        if not hasattr(socket, "SO_PEERCRED"):
            return False  # macOS: the file modes are the only protection
        _pid, uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return bool(uid != os.getuid())

    def _bind(self, listener: socket.socket, file: Path) -> None:
        listener.bind(str(file))
        file.chmod(0o600)


class LoopbackTransport(Transport):
    """A port on 127.0.0.1, and a file with its number and a token; for Windows, where Python has no Unix sockets.

    The file has mode 0600; on Windows the rights of the user's profile folder protect it.
    """

    suffix = ".port"

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(folder)
        self._token = secrets.token_hex(32)

    def connect(self, pid: int, timeout_s: float) -> socket.socket:  # noqa: D102
        return socket.create_connection(("127.0.0.1", int(self._read(pid)["port"])), timeout=timeout_s)

    def credentials(self, pid: int) -> dict[str, str]:  # noqa: D102
        return {"token": self._read(pid)["token"]}

    def refuses_request(self, request: Mapping[str, object]) -> bool:  # noqa: D102
        return not hmac.compare_digest(repr(request.get("token")).encode(), repr(self._token).encode())

    def _bind(self, listener: socket.socket, file: Path) -> None:
        if sys.platform == "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        listener.bind(("127.0.0.1", 0))
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as content:
            json.dump({"port": str(listener.getsockname()[1]), "token": self._token}, content)

    def _read(self, pid: int) -> dict[str, str]:
        try:
            content = json.loads(read_whole(self._file(pid), _MAX_FILE_BYTES))
            if not 0 < int(content["port"]) < 65536:
                raise ValueError("port")
            return {"port": str(int(content["port"])), "token": str(content["token"])}
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise ConnectionRefusedError(f"{self._file(pid)} is damaged") from error


def default_transport() -> Transport:
    """Return the transport of this system: Unix sockets, or loopback ports on Windows."""
    return LoopbackTransport() if sys.platform == "win32" else UnixTransport()
