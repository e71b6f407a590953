"""`veneer sample`: pictures of a network that was trained to make them from noise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Option

if TYPE_CHECKING:
    from engines.portraits.portrait_network import PortraitNetwork

_MAX_COUNT, _FRAMES, _FPS = 10_000, 48, 24.0


def sample(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A network of veneer train --method stylegan2 ...")],
    count: Annotated[int, Option(help="Number of pictures.", min=1, max=_MAX_COUNT)] = 16,
    seed: Annotated[int, Option(help="Seed of the first picture; the next have the next seeds.", min=0)] = 0,
    truncation: Annotated[float, Option(help="1: all of its variety; 0: the mean picture.", min=0, max=2)] = 1.0,
    wanted: Annotated[str, Option("--class", metavar="LABEL", help="VALUE, or ATTRIBUTE=VALUE,...")] = "",
    grid: Annotated[Path | None, Option(metavar="PNG", help="All pictures on one sheet.")] = None,
    out: Annotated[Path | None, Option(metavar="DIR", help="A folder for single pictures: SEED.png.")] = None,
    interpolate: Annotated[
        tuple[int, int] | None, Option(metavar="A B", help="Seeds of the ends of a film, with --film.")
    ] = None,
    film: Annotated[Path | None, Option(metavar="MP4", help="File of the film.")] = None,
    mix: Annotated[
        tuple[int, int] | None, Option(metavar="ROWS COLUMNS", help="A table of mixed styles, with --grid.")
    ] = None,
    latents: Annotated[Path | None, Option(metavar="NPZ", help="Noise z or styles w, Nxlatent.")] = None,
    noise: Annotated[str, Option(help="Noise of each layer: none, constant or random.")] = "constant",
    project: Annotated[Path | None, Option(metavar="PHOTO", help="Find the style of a photo, with --grid.")] = None,
    steps: Annotated[int, Option(help="Steps of --project.", min=2, max=100_000)] = 300,
) -> None:
    """Make pictures with a network from noise.

    The same seed gives the same picture. --grid and --out write pictures, --interpolate a film between two of them,
    --mix the table of mixed styles, --project the picture nearest to a photo, beside the photo, and its style as NPZ.
    """
    import torch

    from engines.errors import OptionsError
    from engines.portraits import portrait_sampler as sampler
    from engines.portraits.portrait_network import load_portraits

    _check(name, noise, (interpolate is not None, film is not None), grid, out, table=bool(mix or project))
    network = load_portraits(name)
    if not network.styled and (mix or project or truncation != 1 or noise != "constant"):
        got = f"{name} has no styles"
        raise OptionsError("--mix, --project, --truncation and --noise", got, "use a stylegan or stylegan2 network")
    label = network.label(wanted)
    torch.manual_seed(seed)
    if film is not None and interpolate is not None:
        _film(network, interpolate, label, truncation, film)
    if project is not None and grid is not None:
        _project(network, project, steps, seed, grid)
    elif mix is not None and grid is not None:
        _mix(network, mix, seed, label, truncation, grid)
    elif grid is not None or out is not None:
        if latents is not None:
            found = sampler.read_latents(network, latents)
            is_styles = network.styled and sampler.is_styles(latents)
        else:
            found, is_styles = sampler.drawn_latents(network, count, seed), False
        made = (
            sampler.of_styles(network, found, noise)
            if is_styles
            else sampler.pictures(network, found, label, truncation, noise)
        )
        _write(made, seed, grid, out)


def _check(
    name: str, noise: str, interpolate_and_film: tuple[bool, bool], grid: Path | None, out: Path | None, *, table: bool
) -> None:
    """Raise OptionsError for options that contradict each other."""
    from engines.errors import OptionsError
    from engines.generators.style_layers import NOISES

    interpolate, film = interpolate_and_film
    if noise not in NOISES:
        raise OptionsError(f"--noise {noise}", "there is no such value", f"use {', '.join(NOISES)}")
    if interpolate != film:
        raise OptionsError(
            "--interpolate and --film", "one of them is missing", "give both: --interpolate 1 2 --film a.mp4"
        )
    if not (film or grid or out):
        raise OptionsError(f"sample {name}", "nowhere to write to", "give --grid PNG, --out DIR, or --film MP4")
    if table and grid is None:
        raise OptionsError("--mix or --project", "no file for the picture", "add --grid PNG")


def _write(made: Any, seed: int, grid: Path | None, out: Path | None) -> None:
    from engines.errors import os_errors
    from live.picture_files.picture_writer import write_picture

    if out is not None:
        with os_errors(f"--out {out}", "name another folder"):
            out.mkdir(parents=True, exist_ok=True)
        for i, picture in enumerate(made):
            write_picture(out / f"{seed + i:06}.png", picture[..., ::-1].copy())
        typer.echo(f"{len(made)} pictures: {out}")
    if grid is not None:
        _sheet(made, max(1, round(len(made) ** 0.5)), grid)


def _sheet(made: Any, columns: int, path: Path) -> None:
    import numpy as np

    from live.picture_files.picture_writer import write_picture

    side = made.shape[1]
    rows = -(-len(made) // columns)
    sheet = np.full((rows * side, columns * side, 3), 255, np.uint8)
    for i, picture in enumerate(made):
        top, left = i // columns * side, i % columns * side
        sheet[top : top + side, left : left + side] = picture[..., ::-1]
    write_picture(path, sheet)
    typer.echo(f"{len(made)} pictures: {path}")


def _film(network: PortraitNetwork, seeds: tuple[int, int], label: Any, truncation: float, path: Path) -> None:
    import numpy as np

    from engines.portraits import portrait_sampler as sampler
    from live.recording.short_film import write_film

    ends = [sampler.drawn_latents(network, 1, seed) for seed in seeds]
    if network.styled:
        ends = [sampler.styles_of(network, end, label, truncation) for end in ends]
    way = sampler.between(ends[0][0], ends[1][0], _FRAMES, spherical=not network.styled)
    made = sampler.of_styles(network, way) if network.styled else sampler.pictures(network, way, label)
    count = write_film(path, (np.ascontiguousarray(picture[..., ::-1]) for picture in made), _FPS)
    typer.echo(f"{count} frames: {path}")


def _mix(network: PortraitNetwork, size: tuple[int, int], seed: int, label: Any, truncation: float, path: Path) -> None:
    import numpy as np

    from engines.errors import OptionsError
    from engines.portraits import portrait_sampler as sampler

    rows, columns = size
    if not (1 <= rows <= 20 and 1 <= columns <= 20):
        raise OptionsError(f"--mix {rows} {columns}", "not a size for a table", "use 1 to 20 rows and columns")
    styles = sampler.styles_of(network, sampler.drawn_latents(network, rows + columns, seed), label, truncation)
    sources = sampler.of_styles(network, styles)
    lines = [np.full_like(sources[:1], 255), sources[rows:]]  # the columns' own pictures above, the rows' on the left
    for table in sampler.mixed(network, styles[:rows], styles[rows:]).values():
        for i in range(rows):
            lines += [sources[i : i + 1], table[i]]
    _sheet(np.concatenate(lines), columns + 1, path)


def _project(network: PortraitNetwork, photo: Path, steps: int, seed: int, grid: Path) -> None:
    import numpy as np

    from engines.errors import os_errors
    from engines.portraits import portrait_sampler as sampler
    from engines.training.data.picture_pairs import cropped_to
    from live.picture_files.picture_reader import read_picture

    rgb = np.ascontiguousarray(cropped_to(read_picture(photo), (network.side_px,) * 2)[..., ::-1])
    style, error = sampler.project(network, rgb, steps, seed)
    _sheet(np.stack([rgb, sampler.of_styles(network, style[None])[0]]), 2, grid)
    with os_errors(f"style {grid.with_suffix('.npz')}", "name another file with --grid"):
        np.savez(grid.with_suffix(".npz"), w=style[None].numpy())
    typer.echo(f"mean error {error:.1f} of 255; its style: {grid.with_suffix('.npz')}")
