"""Commands from another process: the server in the running program, and the client of `veneer ctl`.

One connection carries one request and one answer, each one line of JSON:
{"words": ["look", "glaze"]} -> {"ok": true, "says": "look glaze"} or {"ok": false, "error": "..."}.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from engines.errors import OptionsError, VeneerError
from live.control.control_protocol import POLL_INTERVAL_S, read_line, readable, send_and_close, status_lines
from live.control.control_transport import Transport, default_transport
from live.control.controls import SWITCHES, Controls, parse_command

REQUEST_LIMIT_BYTES = 4096
ANSWER_LIMIT_BYTES = 1 << 20
REQUEST_TIMEOUT_S = 2.0
MAX_CONNECTIONS = 8


class ControlServer:
    """Listens for commands and applies them to the controls. Each connection has its own thread.

    Args:
        status: Returns what `veneer ctl status` prints below the settings. Called from any thread.
        transport: Default: that of this system.
    """

    def __init__(
        self,
        controls: Controls,
        *,
        status: Callable[[], Mapping[str, object]] = dict,
        transport: Transport | None = None,
    ) -> None:
        self._controls, self._status = controls, status
        self._transport = transport or default_transport()
        self._closing = threading.Event()
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None
        self._clients: list[threading.Thread] = []

    def start(self) -> None:
        """Start to listen; see `Transport.listen`."""
        listener = self._transport.listen(os.getpid())
        listener.settimeout(POLL_INTERVAL_S)
        self._listener = listener
        self._acceptor = threading.Thread(target=self._accept, args=(listener,), name="control", daemon=True)
        self._acceptor.start()

    def close(self) -> None:
        """Stop listening within 2 s. Answers in progress are still sent. Idempotent, never raises."""
        self._closing.set()
        listener, self._listener = self._listener, None
        if listener is None:
            return
        with contextlib.suppress(OSError):
            self._transport.forget(os.getpid())
        deadline_s = time.monotonic() + 1.5
        if self._acceptor is not None:
            self._acceptor.join(1.0)  # first, because it adds clients
        for thread in self._clients:
            if thread is not threading.current_thread():  # status() may close the server
                thread.join(max(0.0, deadline_s - time.monotonic()))
        listener.close()

    def __enter__(self) -> ControlServer:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _accept(self, listener: socket.socket) -> None:
        while not self._closing.is_set():
            try:
                connection, _address = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                # A client that disconnected before it was accepted, or no free file handle: keep listening.
                self._closing.wait(POLL_INTERVAL_S)
                continue
            self._clients = [thread for thread in self._clients if thread.is_alive()]
            if not self._slots.acquire(blocking=False):
                send_and_close(connection, _refusal(f"{MAX_CONNECTIONS} clients are connected already"), drain_s=0.05)
                continue
            thread = threading.Thread(target=self._serve, args=(connection,), name="control-client", daemon=True)
            self._clients.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(POLL_INTERVAL_S)
            send_and_close(connection, self._reply(connection), drain_s=0.3)
        except OSError:
            connection.close()  # the client disconnected
        finally:
            self._slots.release()

    def _reply(self, connection: socket.socket) -> dict[str, object] | None:
        """Return the answer to a request; None if the client sends nothing, or while closing."""
        if self._transport.refuses_peer(connection):
            return _refusal("the program of another user may not control this one")
        try:
            line = read_line(connection, REQUEST_LIMIT_BYTES, REQUEST_TIMEOUT_S, self._closing.is_set)
            if not line:
                return None
            request = json.loads(line)
            words = request["words"]
            if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
                raise TypeError("words")
        except TimeoutError:
            return _refusal(f"no complete line within {REQUEST_TIMEOUT_S:g} s")
        except OverflowError:
            return _refusal(f"the request is longer than {REQUEST_LIMIT_BYTES} bytes")
        except (ValueError, KeyError, TypeError, RecursionError):
            return _refusal('a request is one line like {"words": ["look", "glaze"]}')
        if self._transport.refuses_request(request):
            return _refusal("the token is missing or wrong")
        return self._execute(words)

    def _execute(self, words: list[str]) -> dict[str, object]:
        try:
            command = parse_command(words)
            message = self._controls.apply(command)
            if command.verb == "status":
                message = "\n".join(status_lines({**self._settings(), **self._status()}))
        except VeneerError as error:
            return {"ok": False, "error": str(error), "parts": [error.asked, error.got, error.do]}
        except Exception as error:  # an error in status() must not end the server
            return _refusal(f"{words[0]} failed: {type(error).__name__}: {error}")
        return {"ok": True, "says": message}

    def _settings(self) -> dict[str, object]:
        state = self._controls.read()
        switches = {verb: getattr(state, field) for verb, field in SWITCHES.items() if verb != "bare"}
        return {"look": state.look, "strength": state.strength} | switches


def send_command(
    words: Sequence[str], *, pid: int | None = None, timeout_s: float = 2.0, transport: Transport | None = None
) -> str:
    """Send a command to the running program and return its answer: one line, several for "status".

    Args:
        words: The words after `veneer ctl`.
        pid: Process id of the program, if several run.
        timeout_s: Limit for the answer.
        transport: Default: that of this system.

    Raises:
        OptionsError: No program or more than one runs, it does not answer, or it refuses the command.
    """
    transport = transport or default_transport()
    requested = "veneer ctl " + " ".join(words).encode("utf-8", "backslashreplace").decode()
    target, connection = _connect(transport, pid, timeout_s, requested)
    try:
        with connection:
            request = {"words": list(words), **transport.credentials(target)}
            connection.sendall(json.dumps(request).encode() + b"\n")
            line = read_line(connection, ANSWER_LIMIT_BYTES, timeout_s)
            if not line:
                raise ConnectionResetError("no answer")
            answer = json.loads(line)
            if answer["ok"]:
                return readable(answer["says"])
            requested, got, do = answer.get("parts") or (requested, answer["error"], "")
    except TimeoutError as error:
        raise _no_answer(requested, target, timeout_s) from error
    except OSError as error:
        problem = f"the program with process id {target} closed the connection without an answer"
        raise OptionsError(requested, problem, "check whether it still runs") from error
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        problem = f"the answer of process {target} is malformed"
        raise OptionsError(requested, problem, "use the same version of veneer for both") from error
    raise OptionsError(*(readable(part, 300).replace("\n", " ") for part in (requested, got, do)))


def _connect(transport: Transport, pid: int | None, timeout_s: float, requested: str) -> tuple[int, socket.socket]:
    """Return the process id of the addressed program and a connection to it."""
    known = transport.pids()
    if len(known) > 1 and pid is None:  # not always, because the check uses one of a program's connections
        known = transport.running()
    target = pid if pid is not None else known[0] if len(known) == 1 else None
    if target is None or target not in known:
        raise _not_running(transport.running(), pid, requested)
    try:
        return target, transport.connect(target, timeout_s)
    except transport.gone as error:
        raise _not_running(transport.running(), pid, requested) from error
    except OSError as error:
        raise _no_answer(requested, target, timeout_s) from error


def _not_running(running: list[int], pid: int | None, requested: str) -> OptionsError:
    listed = ", ".join(map(str, running))
    if pid is not None:
        do = f"running: {listed}" if running else "start one with `veneer run`"
        return OptionsError(requested, f"no running veneer with process id {pid}", do)
    if len(running) > 1:
        return OptionsError(requested, f"several are running ({listed})", f"add --pid {running[-1]} or another of them")
    return OptionsError(requested, "no running veneer", "start one with `veneer run`")


def _no_answer(requested: str, pid: int, timeout_s: float) -> OptionsError:
    got = f"the program with process id {pid} did not answer within {timeout_s:g} s"
    return OptionsError(requested, got, "try again; end the program if it hangs")


def _refusal(why: str) -> dict[str, object]:
    return {"ok": False, "error": why}
