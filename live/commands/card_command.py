"""`veneer card`: the still card that is shown instead of a face becomes a portrait of no real person."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Option


def card(
    source: Annotated[str, Option("--from", metavar="NAME", help="A network of veneer train --method ...")] = "",
    seed: Annotated[int, Option(help="Which of its portraits.", min=0, max=2**32 - 1)] = 0,
    truncation: Annotated[float, Option(help="1: all of its variety; 0: the mean picture.", min=0, max=1)] = 1.0,
    wanted: Annotated[
        str, Option("--class", metavar="LABEL", help="VALUE, or ATTRIBUTE=VALUE,...", show_default="a random label")
    ] = "",
    reset: Annotated[bool, Option("--reset", help="Show the card of the program again.")] = False,
) -> None:
    """Choose the picture of the still card: of panic, and of looks without a face.

    --from takes a portrait of a network that makes pictures from noise. The card takes effect when `veneer run` starts.
    """
    from engines.errors import OptionsError, os_errors
    from live.picture_files.picture_writer import write_picture
    from live.render.privacy_fallback import card_with, own_card_file

    file = own_card_file()
    if bool(source) == reset:
        raise OptionsError("card", "neither or both of --from and --reset", "give --from NAME --seed 7, or --reset")
    with os_errors(f"card {file}", "make its folder writable"):
        if reset:
            file.unlink(missing_ok=True)
            typer.echo("card: that of the program")
            return
        file.parent.mkdir(parents=True, exist_ok=True)
    from engines.portraits import portrait_sampler as sampler
    from engines.portraits.portrait_network import load_portraits

    network = load_portraits(source)
    if truncation != 1 and not network.styled:
        raise OptionsError("--truncation", f"{source} has no styles", "use a stylegan or stylegan2 network")
    labels = network.labels(wanted, [seed])
    made = sampler.pictures(network, sampler.drawn_latents(network, [seed]), labels, truncation)
    write_picture(file, card_with(made[0][..., ::-1].copy()))
    typer.echo(f"card: {source}, seed {seed}: {file}")
