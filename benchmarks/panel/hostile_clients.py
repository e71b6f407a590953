"""What hostile clients cost the stream: `python -m benchmarks.panel.hostile_clients`.

The program runs on the demo at 30 frames a second and serves both pages: that of this machine, and by TLS that of a
phone. In turns no client is connected, and a process of the lowest priority attacks one page with its valid token: 50
clients at once, 10,000 malformed messages, or clients that ask for pictures and never read. Prints the frames per
second beside those of the calm parts around them, read by HTTP from the page of this machine, which answers all the
time.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import multiprocessing
import os
import re
import ssl
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.panel.panel_program import PanelProgram, panel_program

_CLIENTS, _MESSAGES = 50, 10_000
_JUNK = ("", "{", "[]", '{"words": 1}', "[" * 3000, '"\\ud800"', '{"words": [1]}', "\0" * 99)


@dataclass(frozen=True, slots=True)
class _Target:
    """A page to attack."""

    name: str
    place: str  # "127.0.0.1:8610"
    token: str
    secure: bool

    def socket(self, path: str, **more: object) -> contextlib.AbstractContextManager[object]:
        from websockets.sync.client import connect

        scheme = "s" if self.secure else ""
        return connect(  # type: ignore[no-any-return]
            f"ws{scheme}://{self.place}{path}",
            origin=f"http{scheme}://{self.place}",
            subprotocols=["veneer.v1", f"veneer.token.{self.token}"],
            ssl=_any_certificate() if self.secure else None,
            proxy=None,
            close_timeout=0.2,
            **more,
        )


def main(
    only_phone: Annotated[bool, typer.Option("--only-phone", help="Attack only the page of a phone.")] = False,
    look: Annotated[str, typer.Option(help="Name of the look.")] = "glaze",
    turns: Annotated[int, typer.Option(help="Number of turns.")] = 2,
    seconds: Annotated[float, typer.Option(help="Length of each part of a turn.")] = 4.0,
) -> None:
    """Print the frames per second under each attack, and their ratio to those without."""
    attacks = {"50 clients": _fifty_clients, "10,000 malformed messages": _malformed, "never reads": _never_reads}
    with tempfile.TemporaryDirectory() as home, panel_program(Path(home), look, paced=True, phone=True) as program:
        time.sleep(8)  # the other looks are prepared
        own = _Target("this machine", f"127.0.0.1:{program.port}", program.token, secure=False)
        targets = [_phone(program)] if only_phone else [own, _phone(program)]
        for target, (name, attack) in itertools.product(targets, attacks.items()):
            ratios, rates, counts = [], [], []
            before = program.speed(seconds)[0]
            for _ in range(turns):
                rate, count = _attacked(program, target, attack, seconds)
                after = program.speed(seconds)[0]
                ratios.append(rate / ((before + after) / 2))
                rates.append(rate)
                counts.append(count)
                before = after
            print(
                f"{target.name}, {name}: {statistics.median(rates):.2f} fps, {statistics.median(ratios):.3f} of the "
                f"rate without (lowest {min(ratios):.3f}); {min(counts)} {_WHAT[attack]}",
                flush=True,
            )


def _phone(program: PanelProgram) -> _Target:
    """Pair as a phone."""
    line = str(program.request("/api/command", {"words": ["panel", "phone"]})["says"])
    found = re.search(r"https://(\S+)/ and the code (\d+) ", line)
    assert found, line
    request = urllib.request.Request(f"https://{found[1]}/api/pair", json.dumps({"code": found[2]}).encode())
    with urllib.request.urlopen(request, timeout=30, context=_any_certificate()) as answer:
        return _Target("phone (TLS)", found[1], str(json.load(answer)["token"]), secure=True)


def _any_certificate() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _attacked(
    program: PanelProgram, target: _Target, attack: Callable[[_Target, Event], int], seconds: float
) -> tuple[float, int]:
    """Return the frames per second during an attack, and what the attack counted."""
    context = multiprocessing.get_context("spawn")
    started, stop, counted = context.Event(), context.Event(), context.SimpleQueue()
    process = context.Process(target=_attack, args=(target, attack, started, stop, counted))
    process.start()
    started.wait(30)
    rate = program.speed(seconds)[0]
    while attack is _malformed and counted.empty():  # until all of them were sent
        rate = min(rate, program.speed(seconds)[0])
    stop.set()
    count = counted.get()
    process.join(10)
    process.kill()
    return rate, count


def _attack(
    target: _Target,
    attack: Callable[[_Target, Event], int],
    started: Event,
    stop: Event,
    counted: multiprocessing.SimpleQueue[int],
) -> None:
    os.nice(19)
    logging.disable()  # refused connections
    started.set()
    counted.put(attack(target, stop))


def _fifty_clients(target: _Target, stop: Event) -> int:
    """Connect 50 clients that read the state; those that are refused try again each second, as the page does."""
    served = set()

    def work(number: int) -> None:
        while not stop.is_set():
            with contextlib.suppress(Exception), target.socket("/ws/state") as socket:
                while not stop.is_set():
                    socket.recv(timeout=1.0)  # type: ignore[attr-defined]
                    served.add(number)
            stop.wait(1.0)

    _run_threads(work, _CLIENTS, stop)
    return len(served)


def _malformed(target: _Target, stop: Event) -> int:
    """Send malformed messages, eight on each connection, after which the server closes it."""
    junk, sent = itertools.cycle(_JUNK), 0
    while sent < _MESSAGES and not stop.is_set():
        with contextlib.suppress(Exception), target.socket("/ws/state") as socket:
            for text in itertools.islice(junk, 8):
                socket.send(text)  # type: ignore[attr-defined]
                sent += 1
    return sent


def _never_reads(target: _Target, stop: Event) -> int:
    """Ask for pictures and states and never read; a connection that is closed is made again."""
    connections = []

    def work(number: int) -> None:
        while not stop.is_set():
            path = "/ws/preview" if number < 4 else "/ws/state"
            with contextlib.suppress(Exception), target.socket(path, max_queue=1) as socket:
                connections.append(number)
                while not stop.wait(0.02):
                    socket.send("next" if number < 4 else '{"words": ["status"]}')  # type: ignore[attr-defined]
            stop.wait(0.1)

    _run_threads(work, 8, stop)
    return len(connections)


_WHAT = {_fifty_clients: "were served", _malformed: "messages", _never_reads: "connections"}


def _run_threads(work: Callable[[int], None], count: int, stop: Event) -> None:
    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join(0.1)  # one may wait for an answer by TLS; it ends with the process


if __name__ == "__main__":
    typer.run(main)
