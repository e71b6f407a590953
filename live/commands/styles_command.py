"""`veneer styles`: the trained styles, their origin, licence and cost, and which of them replace shipped ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from engines.looks import Look
    from engines.styles import Style

styles = typer.Typer(help="List the trained styles, bring a shipped style back, or remove one of your own.")


_MAX_LICENCE = 48


@styles.callback(invoke_without_command=True)
def list_styles(context: typer.Context) -> None:
    """List the trained styles, bring a shipped style back, or remove one of your own.

    For each: generator, region, size, multiply-accumulates, time of one call here, origin and licence. The times are
    measured once. A style of your own is used instead of a shipped one of the same name.
    """
    if context.invoked_subcommand is not None:
        return
    from engines.build.status_line import status_line
    from engines.errors import VeneerError
    from engines.style_lookup import load_style, own_folder, own_names, style_names

    names, own = style_names(), own_names()
    width = max(map(len, names))
    with status_line() as say:
        for name in names:
            try:
                style = load_style(name)
                say(f"timing {name}")
                about = _about(style)
                if style.replaces_shipped:
                    about += f", instead of the shipped one; to go back: veneer styles restore {name}"
            except VeneerError as error:
                about = f"{'your own' if name in own else 'shipped'}, not usable: {error}"
            typer.echo(f"{name:<{width}}  {about}")
    typer.echo(f"{len(names)} styles; your own are in {own_folder()}")


def _about(style: Style) -> str:
    from engines.styles import SHIPPED

    is_shipped = style.weights.parent == SHIPPED
    cost = style.card.get("gmac")
    gmac = f"{cost:.2f} GMAC" if isinstance(cost, (int, float)) else "? GMAC"
    size = "{}x{}".format(*style.size_wh)
    licence = "Apache-2.0" if is_shipped else _shortened(style.licence)
    source = style.card.get("source")
    origin = "shipped" if is_shipped else f"your own, from {_shortened(str(source))}" if source else "your own"
    return f"{style.generator:<13}  {style.region:<6}  {size:<7}  {gmac:>10}  {_time(style):>11}  {origin}; {licence}"


def _time(style: Style) -> str:
    """Return the time of one call here, which is measured now if it is not known."""
    from engines.errors import VeneerError
    from engines.runtime.style_times import known_time, measure_time

    try:
        median_ms = known_time(style)
        median_ms = measure_time(style) if median_ms is None else median_ms
    except VeneerError:
        return "cannot run"
    return "not built" if median_ms is None else f"{median_ms:.1f} ms"


def _shortened(text: str) -> str:
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return line if len(line) <= _MAX_LICENCE else f"{line[: _MAX_LICENCE - 3]}..."


@styles.command()
def remove(name: Annotated[str, typer.Argument(metavar="STYLE", help="Name of a style of your own.")]) -> None:
    """Delete a style of your own: its weights, card and picture. It is refused while a look names the style."""
    import contextlib

    from engines.errors import LookError, OptionsError
    from engines.imports.style_files import files_of, remove_style
    from engines.looks_file import load_looks, user_file
    from engines.style_lookup import shipped_names

    files_of(name)
    looks = []
    with contextlib.suppress(LookError):  # a looks file that cannot be used is no reason to keep the style
        looks = [one.name for one in load_looks().values() if _uses(one, name)]
    if looks and name not in shipped_names():
        do = f"take them out of {user_file()} first"
        raise OptionsError(f"style {name!r}", f"it is used by the looks {', '.join(looks)}", do)
    typer.echo(f"{name}: removed {', '.join(remove_style(name))}")


def _uses(look: Look, name: str) -> bool:
    from engines.styles import Style

    return any(isinstance(layer.style, Style) and layer.style.name == name for layer in look.layers)


@styles.command()
def restore(name: Annotated[str, typer.Argument(metavar="STYLE", help="Name of a shipped style.")]) -> None:
    """Use a shipped style again instead of your own of the same name, which is renamed."""
    from engines.imports.style_files import restore_shipped

    new = restore_shipped(name)
    if new:
        typer.echo(f"{name}: the shipped style is used again; your own is now called {new}")
    else:
        typer.echo(f"{name}: the shipped style is in use already")
