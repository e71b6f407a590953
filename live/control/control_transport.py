"""How two programs of one user find and reach each other: a Unix socket, or a loopback port with a token file.

Each running program has one file, named after its process id, in a folder that only the user can enter. The file
appears (by a rename) once the program listens, so a file whose program refuses the connection is a dead one's.
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
_LONGEST_FILE_BYTES = 4096


class Transport:
    """A folder with one file for each running program. Subclasses say what the file is.

    Args:
        folder: of this user alone; made when first listened in.
    """

    suffix = ""
    # what connecting raises when the program behind a file is gone
    gone: tuple[type[OSError], ...] = (OSError,)

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or runtime_dir()

    def listen(self, pid: int) -> socket.socket:
        """A listening socket that other programs find under this process id; sweeps the dead ones' files first.

        Raises:
            OptionsError: the folder cannot be made, is somebody else's, or this process listens already.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_folder()
            self.sweep()
            if self._file(pid).exists():
                raise OptionsError(f"control of process {pid}", "it is being listened for already", "start one only")
            return self._listen(pid)
        except OSError as error:
            reason = error.strerror or str(error)
            raise OptionsError(
                f"control folder {self.folder}", reason, "point VENEER_HOME to a folder of yours"
            ) from error

    def pids(self) -> list[int]:
        """The programs that have a file here, dead ones included; empty where there is no folder.

        Raises:
            OptionsError: the folder is somebody else's.
        """
        if not os.path.lexists(self.folder):
            return []
        self._check_folder()
        names = [path.name for path in self.folder.glob(f"veneer-*{self.suffix}")]
        numbers = [name[len("veneer-") : -len(self.suffix)] for name in names]
        return sorted(int(number) for number in numbers if number.isascii() and number.isdigit())

    def running(self) -> list[int]:
        """The programs that can be connected to."""
        return [pid for pid in self.pids() if self._is_there(pid) is not False]

    def sweep(self) -> None:
        """Remove the files of programs that ended without removing theirs."""
        for pid in self.pids():
            if self._is_there(pid) is False:
                self.forget(pid)

    def forget(self, pid: int) -> None:
        """Remove a program's file; nothing happens where there is none."""
        self._file(pid).unlink(missing_ok=True)

    def connect(self, pid: int, timeout_s: float) -> socket.socket:
        """A connection to the program, with that timeout set.

        Raises:
            OSError: it is not there, or does not take the call.
        """
        raise NotImplementedError

    def credentials(self, pid: int) -> dict[str, str]:
        """What a request to this program must carry besides its words."""
        return {}

    def refuses_peer(self, connection: socket.socket) -> bool:
        """Whether the other side is somebody else's program."""
        return False

    def refuses_request(self, request: Mapping[str, object]) -> bool:
        """Whether the request lacks what `credentials` gives."""
        return False

    def _listen(self, pid: int) -> socket.socket:
        raise NotImplementedError

    def _file(self, pid: int) -> Path:
        return self.folder / f"veneer-{pid}{self.suffix}"

    def _is_there(self, pid: int) -> bool | None:
        """True or False where that is certain, None for a program too busy to say."""
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
            raise OptionsError(
                f"control folder {self.folder}", "it is not a folder of this user", "remove it, or set VENEER_HOME"
            )
        if info.st_mode & 0o077 and sys.platform != "win32":
            self.folder.chmod(0o700)


class UnixTransport(Transport):
    """A Unix socket with mode 0600 in a folder with mode 0700; Linux also tells who calls."""

    suffix = ".sock"
    gone = (ConnectionRefusedError, FileNotFoundError)

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(folder)
        if len(os.fsencode(self.folder)) + len("/veneer-4294967296.sock.new") > PATH_LIMIT_BYTES:
            # Too deep for a socket: both sides come to the same short name; whoever took it before is found out.
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
            return False  # macOS: the modes of folder and socket keep others out
        _pid, uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return bool(uid != os.getuid())

    def _listen(self, pid: int) -> socket.socket:
        target = self._file(pid)
        aside = target.with_name(target.name + ".new")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            aside.unlink(missing_ok=True)
            listener.bind(str(aside))
            aside.chmod(0o600)
            listener.listen(_BACKLOG)
            aside.rename(target)
        except BaseException:
            listener.close()
            aside.unlink(missing_ok=True)
            raise
        return listener


class LoopbackTransport(Transport):
    """A port on 127.0.0.1 and a file with its number and a token; for Windows, which Python gives no Unix sockets.

    The file has mode 0600; on Windows it is the rights of the user's own profile folder that keep others out.
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

    def _listen(self, pid: int) -> socket.socket:
        target = self._file(pid)
        aside = target.with_name(target.name + ".new")
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            if sys.platform == "win32":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            listener.bind(("127.0.0.1", 0))
            listener.listen(_BACKLOG)
            aside.unlink(missing_ok=True)
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump({"port": str(listener.getsockname()[1]), "token": self._token}, file)
            aside.replace(target)
        except BaseException:
            listener.close()
            aside.unlink(missing_ok=True)
            raise
        return listener

    def _read(self, pid: int) -> dict[str, str]:
        try:
            said = json.loads(read_whole(self._file(pid), _LONGEST_FILE_BYTES))
            if not 0 < int(said["port"]) < 65536:
                raise ValueError("port")
            return {"port": str(int(said["port"])), "token": str(said["token"])}
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise ConnectionRefusedError(f"{self._file(pid)} is damaged") from error


def default_transport() -> Transport:
    """What this system offers: Unix sockets where there are any."""
    return LoopbackTransport() if sys.platform == "win32" else UnixTransport()
