"""`veneer looks`: all looks as a list or a contact sheet."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from engines.looks import Look


def looks(
    sheet: Annotated[Path | None, typer.Option(help="Write a contact sheet of all looks to this picture.")] = None,
    photo: Annotated[
        Path | None, typer.Option(help="A picture of the face on the sheet; default: the built-in portrait.")
    ] = None,
    looks_file: Annotated[Path | None, typer.Option(help="Looks file, instead of your own.")] = None,
) -> None:
    """List all looks, or paint them all on one face."""
    from engines.errors import OptionsError
    from engines.files import check_writable
    from engines.looks_file import load_looks
    from live.control.hotkeys import look_keys

    if photo is not None and sheet is None:
        raise OptionsError(f"--photo {photo}", "only used with --sheet", "add --sheet looks.png")
    if sheet is not None and photo is not None and sheet.resolve() == photo.resolve():
        raise OptionsError(f"--sheet {sheet}", f"it is the same file as --photo {photo}", "name another one")
    found = load_looks(looks_file)
    if sheet is not None:
        from live.picture_files.picture_writer import picture_format
        from live.render.look_sheet import write_sheet

        picture_format(sheet, f"--sheet {sheet}")
        check_writable("--sheet", sheet)
        write_sheet(sheet, found, photo)
        typer.echo(f"{len(found)} looks in {sheet}")
        return
    width = max(map(len, found))
    key_of = {name: key.upper() for key, name in look_keys(found).items()}
    for look in found.values():
        key = key_of.get(look.name, " ")
        own = f"  [your {' and '.join(look.own_parts)} instead of the shipped one]" if look.own_parts else ""
        typer.echo(f"{key}  {look.name:<{width}}  {look.about}  (no face: {fallback_text(look)}){own}")


def fallback_text(look: Look) -> str:
    """Describe what the look shows while no face is found: "raw", or "hold 0.5 s, then blur"."""
    if look.no_face != "hold" or math.isinf(look.hold_s):
        return look.no_face
    return f"hold {look.hold_s:g} s, then {look.then}"
