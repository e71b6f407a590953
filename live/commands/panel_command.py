"""`veneer panel`: the control page of the running program."""

from __future__ import annotations

from typing import Annotated

import typer


def panel(
    pid: Annotated[int | None, typer.Option(help="Process id of the program, if several run.")] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
    link: Annotated[
        bool, typer.Option("--link", help="Print the permanent link, for an OBS dock; it holds the token.")
    ] = False,
    phone: Annotated[
        bool, typer.Option("--phone", help="Print address and code for a phone, of a run with --panel-host.")
    ] = False,
    new_token: Annotated[
        bool, typer.Option("--new-token", help="Make a new token for the next runs; earlier permanent links end.")
    ] = False,
) -> None:
    """Open the control page of the running program, which need not have been started with --panel."""
    from live.control.control_socket import send_command

    if new_token:
        from live.panel.panel_access import load_token, token_file

        load_token(renew=True)
        typer.echo(f"a new token is in {token_file()}; it counts from the next start of the program")
        return
    what = ["link"] if link else ["phone"] if phone else []
    address = send_command(["panel", *what], pid=pid, timeout_s=15.0)
    typer.echo(address)
    if browser and not what:
        from live.panel.browser import has_desktop, open_in_browser

        if has_desktop():
            open_in_browser(address).join(5.0)
