"""`veneer doctor`: check this machine."""

from __future__ import annotations

import json as json_text
from typing import Annotated

import typer


def doctor(json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False) -> None:
    """Check everything from the camera to the virtual camera, and print a remedy for each failure."""
    from live.diagnostics.doctor import as_report, examine

    found = []
    for check in examine():
        found.append(check)
        if not json:
            mark = "ok  " if check.ok else "FAIL" if check.needed else "no  "
            typer.echo(f"{mark}  {check.name}: {check.says}")
            if check.do:
                typer.echo(f"      -> {check.do}")
    report = as_report(found)
    if json:
        typer.echo(json_text.dumps(report, indent=2))
    raise typer.Exit(0 if report["ok"] else 1)
