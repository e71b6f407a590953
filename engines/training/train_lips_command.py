"""`veneer train lips`: train lip styles from pixel-aligned pairs of lip crops."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Option

if TYPE_CHECKING:
    from engines.training.data.lip_pairs import LipPairs


def lips(
    data: Annotated[Path, Option(metavar="DIR", help="Folder of bare/ and one folder for each style: 90x30 crops.")],
    style: Annotated[str, Option(help="glaze, bright or another folder beside bare/; all for every one.")] = "all",
    out: Annotated[Path | None, Option(metavar="DIR", help="Weights folder.", show_default="your own styles")] = None,
    work: Annotated[Path | None, Option(metavar="DIR", help="Checkpoints.", show_default="train-lips-STYLE")] = None,
    resume: Annotated[bool, Option("--resume", help="Continue from the checkpoints in --work.")] = False,
    folds: Annotated[int, Option(min=2, help="Folds of the cross-validation.")] = 5,
    epochs: Annotated[int, Option(min=1, help="Times that each pair is shown.")] = 90,
    seed: Annotated[int, Option(min=0, help="The same seed gives the same weights.")] = 0,
) -> None:
    """Train lip styles: score them by cross-validation, then train on all pairs and write weights and card.

    Ctrl-C keeps the checkpoints: continue with --resume.
    """
    from engines import paths
    from engines.training.data.lip_pairs import load_lip_pairs

    folder = out or paths.data_dir() / "weights"
    for pairs in load_lip_pairs(data, style):
        place = work / pairs.style if work is not None else Path(f"train-lips-{pairs.style}")
        typer.echo(_train_one(pairs, folder, place, resume=resume, folds=folds, epochs=epochs, seed=seed))


def _train_one(pairs: LipPairs, out: Path, work: Path, **options: Any) -> str:
    from engines.training.checkpoint import prepare_folder
    from engines.training.cross_validation import cross_validate
    from engines.training.progress_bar import stderr_console, training_bar
    from engines.training.style_card import save_style, style_card

    prepare_folder(out)
    name = f"lips-{pairs.style}"
    with training_bar(stderr_console(), name) as watch:
        method, outcome, scores = cross_validate(pairs, work, watch=watch, **options)
    card = style_card(name, method, outcome, region="lips", origin={})
    written = save_style(outcome.net, {**card, "epochs": options["epochs"], "scores": scores}, out)
    return (
        f"{name}: {scores['cv_psnr_db']:.2f} dB on unseen pairs ({options['folds']} folds), "
        f"{scores['seen_psnr_db']:.2f} dB on training pairs, {scores['identity_psnr_db']:.2f} dB unpainted -> {written}"
    )
