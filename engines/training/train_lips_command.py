"""`veneer train lips`: train lip styles from pixel-aligned pairs of lip crops."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

if TYPE_CHECKING:
    from engines.training.cross_validation import CrossValidation


def lips(
    data: Annotated[Path, Option(metavar="DIR", help="Folder of bare/ and one folder for each style: 90x30 crops.")],
    style: Annotated[str, Option(help="A folder beside bare/, for the style lips-FOLDER; all for every one.")] = "all",
    out: Annotated[Path | None, Option(metavar="DIR", help="Weights folder.", show_default="your own styles")] = None,
    work: Annotated[Path | None, Option(metavar="DIR", help="Checkpoints.", show_default="train-lips-STYLE")] = None,
    resume: Annotated[bool, Option("--resume", help="Continue from the checkpoints in --work.")] = False,
    again: Annotated[bool, Option("--again", help="Start over, and overwrite an earlier training or style.")] = False,
    replace: Annotated[bool, Option("--replace", help="Allow a shipped style's name; yours is then used.")] = False,
    folds: Annotated[int, Option(min=2, help="Folds of the cross-validation.")] = 5,
    epochs: Annotated[int, Option(min=1, max=1_000_000, help="Times that each pair is shown.")] = 90,
    seed: Annotated[int, Option(min=0, max=2**32 - 1, help="The same seed gives the same weights.")] = 0,
) -> None:
    """Train lip styles: score them by cross-validation, then train on all pairs and write weights and card.

    Ctrl-C keeps the checkpoints: continue with --resume.
    """
    from engines.style_lookup import own_folder
    from engines.training.checkpoints.checkpoint import prepare_folder
    from engines.training.checkpoints.overwriting import Overwriting
    from engines.training.cross_validation import plan_cross_validation
    from engines.training.data.lip_pairs import load_lip_pairs

    folder, overwriting = out or own_folder(), Overwriting(resume=resume, again=again, replace=replace)
    places, plans = [folder], []  # of all styles before the first is trained
    for pairs in load_lip_pairs(data, style):
        place = work / pairs.style if work is not None else Path(f"train-lips-{pairs.style}")
        plan = plan_cross_validation(pairs, place, folds=folds, epochs=epochs, seed=seed, resume=resume)
        overwriting.check(f"lips-{pairs.style}", folder, plan.folders)
        places.append(place)
        plans.append(plan)
    for place in places:
        prepare_folder(place)
    for plan in plans:
        overwriting.discard(plan.folders)
        typer.echo(_train_one(plan, folder, epochs))


def _train_one(plan: CrossValidation, out: Path, epochs: int) -> str:
    from engines.training.reporting.progress_bar import stderr_console, training_bar
    from engines.training.style_card import save_style, style_card

    name = f"lips-{plan.pairs.style}"
    with training_bar(stderr_console(), name) as watch:
        method, outcome, scores = plan.run(watch)
    card = style_card(name, method, outcome, region="lips", origin={})
    written = save_style(outcome.net, {**card, "epochs": epochs, "scores": scores}, out)
    return (
        f"{name}: {scores['cv_psnr_db']:.2f} dB on unseen pairs ({scores['folds']} folds), "
        f"{scores['seen_psnr_db']:.2f} dB on training pairs, {scores['identity_psnr_db']:.2f} dB unpainted -> {written}"
    )
