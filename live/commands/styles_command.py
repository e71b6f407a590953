"""`veneer styles`: the trained styles, where each comes from, and which of them replace shipped ones."""

from __future__ import annotations

from typing import Annotated

import typer

styles = typer.Typer(help="List the trained styles, or bring a shipped style back.")


@styles.callback(invoke_without_command=True)
def list_styles(context: typer.Context) -> None:
    """List the trained styles, or bring a shipped style back.

    Looks are made of styles. A style of your own is used instead of a shipped one of the same name.
    """
    if context.invoked_subcommand is not None:
        return
    from engines.errors import VeneerError
    from engines.styles import load_style, own_folder, own_names, style_names

    names, own = style_names(), own_names()
    width = max(map(len, names))
    for name in names:
        origin = "your own" if name in own else "shipped"
        try:
            style = load_style(name)
            about = f"{style.generator:<12}  {style.region:<5}  {origin}"
            if style.replaces_shipped:
                about += f", instead of the shipped one; to go back: veneer styles restore {name}"
        except VeneerError as error:
            about = f"{origin}, not usable: {error}"
        typer.echo(f"{name:<{width}}  {about}")
    typer.echo(f"{len(names)} styles; your own are in {own_folder()}")


@styles.command()
def restore(name: Annotated[str, typer.Argument(metavar="STYLE", help="Name of a shipped style.")]) -> None:
    """Use a shipped style again instead of your own of the same name, which is renamed."""
    from engines.styles import restore_shipped

    new = restore_shipped(name)
    if new:
        typer.echo(f"{name}: the shipped style is used again; your own is now called {new}")
    else:
        typer.echo(f"{name}: the shipped style is in use already")
