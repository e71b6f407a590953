"""Runs in the guest: takes requests from the exchange folder, plays the scenario, writes the answer."""

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
    """Answer requests, in their order, until the host says that it is over."""
    number = 0
    (exchange / "ready").touch()
    while not (exchange / "over").exists():
        request = exchange / f"request-{number}.json"
        if not request.exists():
            time.sleep(0.1)
            continue
        answer = _play(json.loads(request.read_text()))
        aside = exchange / "answer.part"
        aside.write_text(json.dumps(answer))
        aside.replace(exchange / f"answer-{number}.json")
        print(f"guest: answered {number}", flush=True)
        number += 1
    stop_all()


def _play(request: dict[str, Any]) -> dict[str, Any]:
    print(f"guest: {request}", flush=True)
    try:
        return {"found": getattr(scenarios, request["scenario"])(**request["arguments"])}
    except Exception:  # the host shows it and goes on with the next one
        return {"failed": traceback.format_exc()}


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
