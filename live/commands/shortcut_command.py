"""`veneer install-shortcut`: start Veneer from the system's menu, and at login on request."""

from __future__ import annotations

from typing import Annotated

import typer


def install_shortcut(
    autostart: Annotated[
        bool, typer.Option("--autostart", help="Also start at login, without opening the browser.")
    ] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the shortcut and the start at login.")] = False,
) -> None:
    """Put Veneer into the menu of this system; the entry opens the control page."""
    from engines.errors import OptionsError
    from engines.extras import install_command
    from live import shortcuts
    from live.commands.start import has_page

    if remove:
        removed = shortcuts.remove()
        typer.echo("\n".join(f"removed {path}" for path in removed) or "there was no shortcut")
        return
    if not has_page():
        raise OptionsError("veneer install-shortcut", "the control page is not installed", install_command("panel"))
    for path in shortcuts.install(autostart=autostart):
        typer.echo(f"wrote {path}")
