"""Commands from another process: the server inside the running program, and the client behind `veneer ctl`.

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
from live.control.control_protocol import POLL_S, hang_up, read_line, readable, status_lines
from live.control.control_transport import Transport, default_transport
from live.control.controls import SWITCHES, Controls, parse_command

REQUEST_LIMIT_BYTES = 4096
ANSWER_LIMIT_BYTES = 1 << 20
REQUEST_TIMEOUT_S = 2.0
MOST_CONNECTIONS = 8


class ControlServer:
    """Listens for commands and applies them to the controls, each connection in a thread of its own.

    Args:
        controls: what the commands change.
        status: gives what `veneer ctl status` prints below the settings (fps, latency, engines, ...); called from
            any thread.
        transport: how to be reached; by default what this system offers.
        pid: the name to be found under; by default this process.
    """

    def __init__(
        self,
        controls: Controls,
        *,
        status: Callable[[], Mapping[str, object]] = dict,
        transport: Transport | None = None,
        pid: int | None = None,
    ) -> None:
        self._controls, self._status = controls, status
        self._transport = transport or default_transport()
        self._pid = os.getpid() if pid is None else pid
        self._closing = threading.Event()
        self._slots = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None
        self._callers: list[threading.Thread] = []

    def start(self) -> None:
        """Be there for other programs; removes what dead ones left behind.

        Raises:
            OptionsError: there is no place to listen.
        """
        listener = self._transport.listen(self._pid)
        listener.settimeout(POLL_S)
        self._listener = listener
        self._acceptor = threading.Thread(target=self._accept, args=(listener,), name="control", daemon=True)
        self._acceptor.start()

    def close(self) -> None:
        """Stop listening within 2 s; answers already being made still go out. Idempotent, never raises."""
        self._closing.set()
        listener, self._listener = self._listener, None
        if listener is None:
            return
        with contextlib.suppress(OSError):
            self._transport.forget(self._pid)
        deadline_s = time.monotonic() + 1.5
        if self._acceptor is not None:
            self._acceptor.join(1.0)  # first: it is the one that adds callers
        for thread in self._callers:
            if thread is not threading.current_thread():  # status() may be what closes us
                thread.join(max(0.0, deadline_s - time.monotonic()))
        listener.close()

    def __enter__(self) -> ControlServer:
        """Starts it."""
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Closes it."""
        self.close()

    def _accept(self, listener: socket.socket) -> None:
        while not self._closing.is_set():
            try:
                connection, _address = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                # A caller that left before it was served, or no file handle free just now: neither ends the service.
                self._closing.wait(POLL_S)
                continue
            self._callers = [thread for thread in self._callers if thread.is_alive()]
            if not self._slots.acquire(blocking=False):
                hang_up(connection, _refusal(f"{MOST_CONNECTIONS} callers are being served already"), drain_s=0.05)
                continue
            thread = threading.Thread(target=self._serve, args=(connection,), name="control-caller", daemon=True)
            self._callers.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(POLL_S)
            answer = self._reply(connection)
            hang_up(connection, answer, drain_s=0.3)
        except OSError:
            connection.close()  # the caller went away
        finally:
            self._slots.release()

    def _reply(self, connection: socket.socket) -> dict[str, object] | None:
        """The answer to what comes; None for a caller that says nothing and leaves, or once closing."""
        if self._transport.refuses_peer(connection):
            return _refusal("another user's program may not control this one")
        try:
            line = read_line(connection, REQUEST_LIMIT_BYTES, REQUEST_TIMEOUT_S, self._closing.is_set)
            if not line:
                return None
            request = json.loads(line)
            words = request["words"]
            if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
                raise TypeError("words")
        except TimeoutError:
            return _refusal(f"no whole line came within {REQUEST_TIMEOUT_S:g} s")
        except OverflowError:
            return _refusal(f"a request may have {REQUEST_LIMIT_BYTES} bytes")
        except (ValueError, KeyError, TypeError, RecursionError):
            return _refusal('a request is one line like {"words": ["look", "glaze"]}')
        if self._transport.refuses_request(request):
            return _refusal("the token is missing or wrong")
        return self._obey(words)

    def _obey(self, words: list[str]) -> dict[str, object]:
        try:
            command = parse_command(words, self._controls.look_names)
            says = self._controls.apply(command)
            if command.verb == "status":
                says = "\n".join(status_lines({**self._settings(), **self._status()}))
        except VeneerError as error:
            return {"ok": False, "error": str(error), "parts": [error.asked, error.got, error.do]}
        except Exception as error:  # whatever status() stumbles over is the caller's to read, not the program's end
            return _refusal(f"{words[0]} failed: {type(error).__name__}: {error}")
        return {"ok": True, "says": says}

    def _settings(self) -> dict[str, object]:
        state = self._controls.read()
        return {"look": state.look, "strength": state.strength} | {
            verb: True for verb, field in SWITCHES.items() if getattr(state, field)
        }


def send_command(
    words: Sequence[str], *, pid: int | None = None, timeout_s: float = 2.0, transport: Transport | None = None
) -> str:
    """Have the running program do what the words say.

    Args:
        words: as after `veneer ctl`.
        pid: which program, where several run.
        timeout_s: how long it may take to answer.
        transport: how to reach it; by default what this system offers.

    Returns:
        What it says: one line, several for "status".

    Raises:
        OptionsError: none runs, several do, it does not answer, or it refuses.
    """
    transport = transport or default_transport()
    asked = "veneer ctl " + " ".join(words).encode("utf-8", "backslashreplace").decode()
    target, connection = _call(transport, pid, timeout_s, asked)
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
            asked, got, do = answer.get("parts") or (asked, answer["error"], "")
    except TimeoutError as error:
        raise _silent(asked, target, timeout_s) from error
    except OSError as error:
        problem = f"the program with process id {target} hung up without an answer"
        raise OptionsError(asked, problem, "see whether it still runs") from error
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        problem = f"what process {target} answered makes no sense"
        raise OptionsError(asked, problem, "run the same version on both sides") from error
    raise OptionsError(*(readable(part, 300).replace("\n", " ") for part in (asked, got, do)))


def _call(transport: Transport, pid: int | None, timeout_s: float, asked: str) -> tuple[int, socket.socket]:
    """The process id of the program that is meant, and a connection to it."""
    known = transport.pids()
    if len(known) > 1 and pid is None:  # some may be dead; not asked otherwise, since asking takes a caller's place
        known = transport.running()
    target = pid if pid is not None else known[0] if len(known) == 1 else None
    if target is None or target not in known:
        raise _nobody(transport.running(), pid, asked)
    try:
        return target, transport.connect(target, timeout_s)
    except transport.gone as error:
        raise _nobody(transport.running(), pid, asked) from error
    except OSError as error:
        raise _silent(asked, target, timeout_s) from error


def _nobody(running: list[int], pid: int | None, asked: str) -> OptionsError:
    listed = ", ".join(map(str, running))
    if running and pid is not None:
        return OptionsError(asked, f"no running veneer with process id {pid}", f"running: {listed}")
    if len(running) > 1:
        return OptionsError(asked, f"several are running ({listed})", f"say which: --pid {running[-1]}")
    return OptionsError(asked, "no running veneer", "start one with `veneer run`")


def _silent(asked: str, pid: int, timeout_s: float) -> OptionsError:
    got = f"the program with process id {pid} did not answer within {timeout_s:g} s"
    return OptionsError(asked, got, "try again; end it if it hangs")


def _refusal(why: str) -> dict[str, object]:
    return {"ok": False, "error": why}
