"""Runs in the guest: reads requests from the shared folder, runs the scenarios, writes the answers."""

from __future__ import annotations

import json
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from vm.guest import scenarios
from vm.guest.program import stop_all


def serve(exchange: Path) -> None:
    """Answer requests in order until the host stops the machine."""
    number = 0
    (exchange / "ready").touch()
    while not (exchange / "stop").exists():
        request = exchange / f"request-{number}.json"
        if not request.exists():
            time.sleep(0.1)
            continue
        answer = _run(json.loads(request.read_text()))
        part = exchange / "answer.part"
        part.write_text(json.dumps(answer))
        part.replace(exchange / f"answer-{number}.json")
        print(f"guest: answered {number}", flush=True)
        number += 1
    stop_all()


def _run(request: dict[str, Any]) -> dict[str, Any]:
    print(f"guest: {request}", flush=True)
    try:
        return {"result": getattr(scenarios, request["scenario"])(**request["arguments"])}
    except Exception:  # reported by the host
        return {"failed": traceback.format_exc()}


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
