"""`veneer sample`: pictures of a network that was trained to make them from noise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Option

if TYPE_CHECKING:
    from engines.portraits.portrait_network import PortraitNetwork

_MAX_COUNT, _MAX_SEED, _FRAMES, _FPS = 10_000, 2**32 - 1, 48, 24.0
_MAX_SHEET_BYTES = 1_000_000_000
_MIN_FACE_PX = 256  # pictures of invented persons are enlarged: the face mesh finds no face in very small ones


def sample(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A network of veneer train --method stylegan2, vae ...")],
    count: Annotated[int, Option(help="Number of pictures.", min=1, max=_MAX_COUNT)] = 16,
    seed: Annotated[
        int, Option(help="Seed of the first picture; the next have the next seeds.", min=0, max=_MAX_SEED)
    ] = 0,
    truncation: Annotated[float, Option(help="1: all of its variety; 0: the mean picture.", min=0, max=2)] = 1.0,
    wanted: Annotated[
        str, Option("--class", metavar="LABEL", help="VALUE, or ATTRIBUTE=VALUE,...", show_default="random labels")
    ] = "",
    grid: Annotated[Path | None, Option(metavar="PNG", help="All pictures on one sheet.")] = None,
    out: Annotated[Path | None, Option(metavar="DIR", help="A folder for single pictures: SEED.png.")] = None,
    identities: Annotated[
        int, Option(help="Persons: a folder of --count pictures each in --out.", min=0, max=_MAX_COUNT)
    ] = 0,
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
    """Make pictures with a network from noise, or with the decoder of an autoencoder.

    The same seed gives the same picture. --grid and --out write pictures, --identities folders of invented persons,
    --interpolate a film between two pictures, --mix the table of mixed styles, --project the picture nearest to a
    photo, beside the photo, and its style as NPZ; it compares by VGG too if `veneer models add vgg` added one.
    """
    from engines.errors import OptionsError
    from engines.portraits.portrait_network import load_portraits

    given = {
        "--interpolate": interpolate, "--film": film, "--mix": mix, "--project": project, "--latents": latents,
        "--identities": identities or None, "--grid": grid, "--out": out, "--class": wanted or None,
        "--noise": None if noise == "constant" else noise, "--truncation": None if truncation == 1 else truncation,
    }  # fmt: skip
    _check(name, {option for option, value in given.items() if value is not None}, noise, interpolate or (0, 0))
    network = load_portraits(name)
    if not network.styled and (mix or project or truncation != 1 or noise != "constant"):
        got = f"{name} has no styles"
        raise OptionsError("--mix, --project, --truncation and --noise", got, "use a stylegan or stylegan2 network")
    if film is not None and interpolate is not None:
        _film(network, interpolate, wanted, truncation, noise, film)
    elif project is not None and grid is not None:
        _project(network, project, steps, seed, grid)
    elif mix is not None and grid is not None:
        _mix(network, mix, seed, wanted, truncation, noise, grid)
    elif identities and out is not None:
        _identities(network, range(seed, seed + identities), count, wanted, truncation, out)
    else:
        _write(_samples(network, latents, range(seed, seed + count), wanted, truncation, noise), seed, grid, out)


# Options that the mode of the first one does not use; each mode is refused together with the others.
_UNUSED = {
    "--interpolate": ("--mix", "--project", "--identities", "--latents", "--grid", "--out"),
    "--project": ("--mix", "--identities", "--latents", "--out", "--noise", "--class", "--truncation"),
    "--mix": ("--identities", "--latents", "--out"),
    "--identities": ("--latents", "--grid", "--noise"),
}


def _check(name: str, given: set[str], noise: str, ends: tuple[int, int]) -> None:
    """Raise OptionsError for options that contradict each other."""
    from engines.errors import OptionsError
    from engines.generators.style_layers import NOISES

    if noise not in NOISES:
        raise OptionsError(f"--noise {noise}", "there is no such value", f"use {', '.join(NOISES)}")
    if ("--interpolate" in given) != ("--film" in given):
        do = "give both: --interpolate 1 2 --film a.mp4"
        raise OptionsError("--interpolate and --film", "one of them is missing", do)
    if not all(0 <= end <= _MAX_SEED for end in ends):
        raise OptionsError(f"--interpolate {ends[0]} {ends[1]}", "not two seeds", f"use 0 to {_MAX_SEED}")
    if not given & {"--film", "--grid", "--out"}:
        raise OptionsError(f"sample {name}", "nowhere to write to", "give --grid PNG, --out DIR, or --film MP4")
    for mode, needed in (("--mix", "--grid"), ("--project", "--grid"), ("--identities", "--out")):
        if mode in given and needed not in given:
            raise OptionsError(mode, "no place for the pictures", f"add {needed}")
    for mode, unused in _UNUSED.items():
        if mode in given and (beside := given.intersection(unused)):
            raise OptionsError(f"{mode} and {min(beside)}", "they do not work together", "leave one of them out")


def _samples(
    network: PortraitNetwork, latents: Path | None, seeds: Sequence[int], wanted: str, truncation: float, noise: str
) -> Iterable[Any]:
    """Return the pictures of seeds, or of a file of latents, in batches."""
    from engines.errors import OptionsError
    from engines.portraits import portrait_sampler as sampler

    if latents is None:
        labels = network.labels(wanted, seeds)
        return sampler.picture_batches(network, sampler.drawn_latents(network, seeds), labels, truncation, noise, seeds)
    found = sampler.read_latents(network, latents)
    seeds = range(seeds[0], seeds[0] + len(found))
    if not (network.styled and sampler.is_styles(latents)):
        labels = network.labels(wanted, seeds)
        return sampler.picture_batches(network, found, labels, truncation, noise, seeds)
    if wanted or truncation != 1:
        got = "they apply to noise, and the file holds styles w"
        raise OptionsError("--class and --truncation", got, "leave them out, or use noise z")
    return sampler.style_batches(network, found, noise, seeds)


def _write(batches: Iterable[Any], seed: int, grid: Path | None, out: Path | None) -> None:
    """Write pictures as they are made; only a sheet needs all of them at once."""
    import numpy as np

    from engines.errors import OptionsError

    if out is not None:
        _make_folder(out)
    kept: list[Any] = []
    count = 0
    for made in batches:
        if out is not None:
            _write_pictures(made, (f"{seed + count + i:06}.png" for i in range(len(made))), out)
        count += len(made)
        if grid is None:
            continue
        kept.append(made)
        if count * made[0].nbytes > _MAX_SHEET_BYTES:
            got = f"{count} pictures of {made.shape[2]}x{made.shape[1]} are more than a sheet holds"
            raise OptionsError(f"--grid {grid}", got, "use a smaller --count, or --out alone")
    if out is not None:
        typer.echo(f"{count} pictures: {out}")
    if grid is not None:
        _sheet(np.concatenate(kept), max(1, round(count**0.5)), grid)


def _make_folder(folder: Path) -> None:
    from engines.errors import os_errors

    with os_errors(f"--out {folder}", "name another folder"):
        folder.mkdir(parents=True, exist_ok=True)


def _write_pictures(made: Any, names: Iterable[str], folder: Path) -> None:
    from live.picture_files.picture_writer import write_picture

    for picture, name in zip(made, names, strict=True):
        write_picture(folder / name, picture[..., ::-1].copy())


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


def _film(
    network: PortraitNetwork, seeds: tuple[int, int], wanted: str, truncation: float, noise: str, path: Path
) -> None:
    import numpy as np

    from engines.portraits import portrait_sampler as sampler
    from live.recording.short_film import write_film

    label = network.labels(wanted, seeds[:1])  # of the whole film
    ends = sampler.drawn_latents(network, seeds)
    if network.styled:
        ends = sampler.styles_of(network, ends, None if label is None else label.expand(2, -1), truncation)
    way = sampler.between(ends[0], ends[1], _FRAMES, spherical=not network.styled)
    labels = None if label is None else label.expand(len(way), -1)
    made = sampler.of_styles(network, way, noise) if network.styled else sampler.pictures(network, way, labels)
    count = write_film(path, (np.ascontiguousarray(picture[..., ::-1]) for picture in made), _FPS)
    typer.echo(f"{count} frames: {path}")


def _mix(
    network: PortraitNetwork, size: tuple[int, int], seed: int, wanted: str, truncation: float, noise: str, path: Path
) -> None:
    import numpy as np

    from engines.errors import OptionsError
    from engines.portraits import portrait_sampler as sampler

    rows, columns = size
    if not (1 <= rows <= 20 and 1 <= columns <= 20):
        raise OptionsError(f"--mix {rows} {columns}", "not a size for a table", "use 1 to 20 rows and columns")
    seeds = range(seed, seed + rows + columns)
    labels = network.labels(wanted, seeds)
    styles = sampler.styles_of(network, sampler.drawn_latents(network, seeds), labels, truncation)
    sources = sampler.of_styles(network, styles, noise)
    lines = [np.full_like(sources[:1], 255), sources[rows:]]  # the columns' own pictures above, the rows' on the left
    for table in sampler.mixed(network, styles[:rows], styles[rows:], noise).values():
        for i in range(rows):
            lines += [sources[i : i + 1], table[i]]
    _sheet(np.concatenate(lines), columns + 1, path)


def _identities(
    network: PortraitNetwork, seeds: Sequence[int], count: int, wanted: str, truncation: float, out: Path
) -> None:
    """Write a folder for each invented person, for `veneer train --method face-swap`."""
    import cv2

    from engines.errors import os_errors
    from engines.portraits import portrait_sampler as sampler

    for seed in seeds:
        folder = out / f"{seed:06}"
        _make_folder(folder)
        made = sampler.variations(network, seed, count, network.labels(wanted, [seed]), truncation)
        side_px = max(network.side_px, _MIN_FACE_PX)
        large = [cv2.resize(one, (side_px, side_px), interpolation=cv2.INTER_CUBIC) for one in made]
        _write_pictures(large, (f"{i:04}.png" for i in range(count)), folder)
        with os_errors(f"terms in {folder}", "name another folder"):
            terms = f"No real person: drawn by the network {network.name}, seed {seed} (veneer sample --identities).\n"
            (folder / "TERMS.txt").write_text(terms, encoding="utf-8")
    typer.echo(f"{len(seeds)} persons with {count} pictures each: {out}")


def _project(network: PortraitNetwork, photo: Path, steps: int, seed: int, grid: Path) -> None:
    import numpy as np

    from engines.errors import os_errors
    from engines.painting.vgg_file import kept_file, load_vgg
    from engines.painting.vgg_network import VggNetwork
    from engines.portraits import portrait_sampler as sampler
    from engines.training.data.picture_pairs import cropped_to
    from live.picture_files.picture_reader import read_picture

    rgb = np.ascontiguousarray(cropped_to(read_picture(photo), (network.side_px,) * 2)[..., ::-1])
    vgg = VggNetwork(load_vgg(), sampler.SEEN_BY_VGG[-1], "max") if kept_file().is_file() else None
    style, error = sampler.project(network, rgb, steps, seed, vgg)
    _sheet(np.stack([rgb, sampler.of_styles(network, style[None])[0]]), 2, grid)
    with os_errors(f"style {grid.with_suffix('.npz')}", "name another file with --grid"):
        np.savez(grid.with_suffix(".npz"), w=style[None].numpy())
    how = "pixels" if vgg is None else "pixels and features of VGG"
    typer.echo(f"mean error {error:.1f} of 255, compared by {how}; its style: {grid.with_suffix('.npz')}")
