"""`veneer train`: train a generator from pairs of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from engines.training.methods.lips import Pairs

train = typer.Typer(help="Train a generator from pairs of pictures.", no_args_is_help=True)


@train.callback()
def _group() -> None:
    """Train a generator from pairs of pictures."""


@train.command()
def lips(
    data: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Holds bare/ and a folder for each painted style: same-named 90x30 crops."),
    ],
    style: Annotated[
        str, typer.Option(help="glaze, bright or another folder beside bare/; all for every one.")
    ] = "all",
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the weights go.", show_default="your own styles")
    ] = None,
    folds: Annotated[int, typer.Option(min=2, help="Parts of the cross-validation.")] = 5,
    epochs: Annotated[int | None, typer.Option(min=1, help="Times each pair is seen.", show_default="90")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same weights.")] = 0,
) -> None:
    """Train lip styles: score them by cross-validation, then learn from all pairs and write weights and card."""
    from engines import paths
    from engines.training.methods.lips import load_pairs

    folder = out if out is not None else paths.data_dir() / "weights"
    try:
        for pairs in load_pairs(data, style):
            typer.echo(_train_one(pairs, folder, folds=folds, epochs=epochs, seed=seed))
    except KeyboardInterrupt:
        typer.echo("training stopped: the style in work was not written", err=True)
        raise typer.Exit(130) from None


def _train_one(pairs: Pairs, folder: Path, *, folds: int, epochs: int | None, seed: int) -> str:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from engines.training import style_files
    from engines.training.methods.lips import Recipe, card, train

    recipe = Recipe() if epochs is None else Recipe(epochs=epochs)
    style_files.ready_folder(folder)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"lips-{pairs.style}", total=(folds + 1) * recipe.epochs)
        net, scores = train(pairs, recipe, folds=folds, seed=seed, on_epoch=lambda: progress.advance(task))
    written = style_files.save_style(net, card(pairs, scores, recipe, seed=seed), folder)
    return (
        f"lips-{pairs.style}: {scores['cv_psnr_db']:.2f} dB on pairs it never saw ({folds} folds), "
        f"{scores['seen_psnr_db']:.2f} dB on its own, {scores['identity_psnr_db']:.2f} dB unpainted -> {written}"
    )
