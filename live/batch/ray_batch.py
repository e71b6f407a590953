"""`veneer apply --cluster`: each file is a task of Ray; the driver keeps the manifest and a few tasks in flight."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from engines.errors import EngineError, LookError, OptionsError, VeneerError
from engines.text import one_line
from live.batch.batch_progress import BatchProgress
from live.batch.file_work import FolderGoneError, Item, WorkOrder
from live.batch.job_processes import MAX_TRIES, wait_for_folders
from live.batch.manifest import Record
from live.batch.ray_tasks import FramesDone, do_file, probe
from live.session import say
from live.tracking.quiet_stderr import quiet_stderr

_POLL_S = 0.5
_ASK_S = 1.0
_SAY_S = 1.0  # between two messages of a worker about one file
_MESSAGES_PER_S = 100  # of all workers together
_IN_FLIGHT = 2  # tasks per processor: the next one is there when one ends, and no more are held
_MEMORY_BYTES = 1_000_000_000  # of a task: libraries, tracker, engines and a few frames
_GPU_SHARE = 0.25
_GPU_RUNTIMES = ("tensorrt", "torch")
_LISTENING_TIMEOUT_S = 5.0
_LOOPBACK = ("127.", "localhost", "::1")


@dataclass(slots=True)
class _Try:
    """A file in flight.

    Attributes:
        item: The file.
        number: Counts from 1.
        worker: The process that does it, for the progress display.
        node: Where that is.
        nodes: That failed at it.
    """

    item: Item
    number: int = 1
    worker: str = ""
    node: str = ""
    nodes: set[str] = field(default_factory=set)


def run_on_cluster(order: WorkOrder, items: deque[Item], progress: BatchProgress) -> Iterator[Record]:
    """Do files on the nodes of the cluster and yield their records in the order in which they are finished.

    Call it while `connected`.

    Raises:
        LookError: The look, its weights or a version on a node are others.
        EngineError: A node cannot open the engines of the look.
    """
    import ray

    yield from _Driver(ray, order, progress).run(items)


@contextlib.contextmanager
def connected(address: str) -> Iterator[int]:
    """Connect to a cluster for the block, and say so if it listens beyond this machine without a token.

    Yields:
        The number of its processors.

    Raises:
        OptionsError: There is no such cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no request leaves the machines
    import ray

    try:
        _check_listening(address)
        with quiet_stderr(show_failures=False):
            ray.init(address=address, namespace="veneer", log_to_driver=False, logging_level="ERROR")
    except Exception as error:  # Ray raises ConnectionError, RuntimeError, ValueError and others
        do = "start one with `ray start --head`, or name the address of its head; one with a token needs it here too"
        raise OptionsError(f"--cluster {address}", f"no connection ({one_line(error)})", do) from None
    hosts = [str(node["NodeManagerAddress"]) for node in ray.nodes() if node["Alive"]]
    if os.environ.get("RAY_AUTH_MODE") != "token" and not all(host.startswith(_LOOPBACK) for host in hosts):
        say(
            f"the cluster listens on {hosts[0]} without a token: every program that reaches it can run code there; "
            "start it with RAY_AUTH_MODE=token, or in a network of its own"
        )
    try:
        yield int(ray.cluster_resources().get("CPU", 0))
    finally:
        ray.shutdown()


def _check_listening(address: str) -> None:
    """Raise OSError if nothing listens at HOST:PORT: Ray would wait for more than a minute."""
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), _LISTENING_TIMEOUT_S).close()


class _Driver:
    """Submits tasks and collects records."""

    def __init__(self, ray: Any, order: WorkOrder, progress: BatchProgress) -> None:
        self._ray, self._order, self._progress = ray, order, progress
        self._in_flight: dict[Any, _Try] = {}
        self._most, self._asked_s = 1, float("-inf")

    def run(self, items: deque[Item]) -> Iterator[Record]:
        """See `run_on_cluster`."""
        if not items:
            return
        of_nodes = [(node["NodeID"], node["Resources"]) for node in self._alive() if "GPU" not in node["Resources"]]
        self._order = replace(self._order, node_cores={node: int(has.get("CPU", 0)) for node, has in of_nodes})
        precisions = self._decide_precisions()
        order = self._ray.put(replace(self._order, precisions=precisions))
        task = self._ray.remote(**self._resources(precisions))(do_file)
        again = deque[_Try]()
        while items or again or self._in_flight:
            while len(self._in_flight) < self._room() and (items or again):
                attempt = again.popleft() if again else _Try(items.popleft())
                options = {"scheduling_strategy": self._another_node(attempt.nodes)} if attempt.nodes else {}
                interval_s = max(_SAY_S, self._most / _MESSAGES_PER_S)
                self._in_flight[task.options(**options).remote(order, attempt.item, interval_s)] = attempt
            if not self._in_flight:
                time.sleep(_POLL_S)  # no node has a processor at the moment
                continue
            for task_of in self._tasks_with_news():
                attempt = self._in_flight[task_of]
                message = self._message(task_of, attempt)
                if isinstance(message, FramesDone):
                    attempt.worker, attempt.node = message.worker, message.node
                    self._progress.frames(message.worker, attempt.item, message.done, message.total)
                    continue
                del self._in_flight[task_of]
                if message is None:
                    again.append(attempt)
                    continue
                self._progress.finished(attempt.worker, attempt.item, message)
                yield message

    def _tasks_with_news(self) -> list[Any]:
        """Wait for a message or the end of a task, and return all tasks that have one."""
        tasks = list(self._in_flight)
        if not self._ray.wait(tasks, num_returns=1, timeout=_POLL_S)[0]:
            return []
        return list(self._ray.wait(tasks, num_returns=len(tasks), timeout=0)[0])

    def _room(self) -> int:
        """Return how many tasks may be in flight; the cluster is asked once a second."""
        if time.monotonic() >= self._asked_s + _ASK_S:
            self._asked_s = time.monotonic()
            self._most = max(1, int(_IN_FLIGHT * self._ray.cluster_resources().get("CPU", 0)))
        return self._most

    def _message(self, task: Any, attempt: _Try) -> FramesDone | Record | None:
        """Return the next message of a task, or the record of its file; None if that is to be tried again."""
        try:
            message = self._ray.get(next(task))
            if isinstance(message, FramesDone):
                return message
            record: Record = message
        except Exception as error:  # the process or the node is gone, or Ray wraps what the task raised
            cause, item = getattr(error, "cause", None) or error, attempt.item
            if isinstance(cause, FolderGoneError):
                say(f"{cause}; waiting for it")
                wait_for_folders(self._order)
                return None
            if isinstance(cause, (LookError, EngineError)):
                raise cause from None
            is_own = isinstance(cause, (VeneerError, OSError))
            text = one_line(cause) if is_own else f"its process or node is gone ({type(cause).__name__})"
            record = Record(item.path, "failed", "", item.input, recipe=self._order.recipe, error=text)
        if record.state != "failed":
            return replace(record, tries=attempt.number)
        if attempt.number < MAX_TRIES:
            attempt.number += 1
            attempt.nodes.add(attempt.node)
            return None
        return replace(record, state="quarantined", tries=attempt.number)

    def _another_node(self, used: set[str]) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        nodes = [node["NodeID"] for node in self._alive() if node["Resources"].get("CPU")]
        other = [node for node in nodes if node not in used] or nodes
        return NodeAffinitySchedulingStrategy(other[0], soft=True) if other else "DEFAULT"

    def _alive(self) -> list[Any]:
        return [node for node in self._ray.nodes() if node["Alive"]]

    def _decide_precisions(self) -> dict[str, tuple[str, str]]:
        """Open the look once on every node, which also builds what it lacks, and return what all of them can run."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        ask = self._ray.remote(num_cpus=1, max_retries=2)(probe)
        nodes = [node["NodeID"] for node in self._alive() if node["Resources"].get("CPU")]
        order = self._ray.put(self._order)
        asked = [
            ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=True)).remote(order)
            for node in nodes or [self._ray.get_runtime_context().get_node_id()]
        ]
        try:
            found: list[dict[str, tuple[str, str]]] = self._ray.get(asked)
        except Exception as error:  # the same as of files; a RuntimeError if Veneer is another version there
            cause = getattr(error, "cause", None) or error
            if isinstance(cause, VeneerError):
                raise cause from None
            do = "install the same version of Veneer and its packages there"
            raise EngineError("the cluster", f"a node cannot open the look ({one_line(cause)})", do) from None
        precisions = found[0]
        for name in precisions:
            if len({one[name] for one in found}) > 1:
                precisions[name] = ("openvino", "fp32")
        text = ", ".join(f"{name}: {' '.join(choice)}" for name, choice in precisions.items())
        say(f"{len(found)} nodes" + (f"; {text}" if text else ""))
        return precisions

    def _resources(self, precisions: dict[str, tuple[str, str]]) -> dict[str, Any]:
        """Return what a task needs: a processor, memory, and a share of a GPU if the engines use one."""
        memory = [node["Resources"].get("memory", 0) for node in self._alive() if node["Resources"].get("CPU")]
        needed: dict[str, Any] = {
            "num_cpus": 1,
            "max_retries": 0,
            "num_returns": "streaming",
            "memory": int(min([_MEMORY_BYTES, *memory])),
        }
        has_gpus = self._ray.cluster_resources().get("GPU", 0) > 0
        if has_gpus and any(runtime in _GPU_RUNTIMES for runtime, _ in precisions.values()):
            needed["num_gpus"] = _GPU_SHARE
        return needed
