"""What a trained style says of itself beside its weights."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from engines.training.data.paired_dataset import Pairs
from engines.training.metrics.model_cost import gmac, parameters
from engines.training.outcome import Outcome


def style_card(name: str, outcome: Outcome, pairs: Pairs, *, region: str, made_by: Mapping[str, Any]) -> dict[str, Any]:
    """The card, for `cards.save_style`.

    Args:
        name: of the style.
        outcome: of the training.
        pairs: all that were given, with their terms.
        region: what the generator is applied to, of `engines.styles.REGIONS`.
        made_by: the teacher ({"teacher": name, ...}) or {"pairs": "the user's own"}.
    """
    recipe, progress = outcome.recipe, outcome.progress
    height, width = pairs.before_rgb.shape[1:3]
    told = recipe.as_json()
    objectives = {key: value for key, value in told.pop("objectives").items() if value}
    if not recipe.objectives.adversarial:
        objectives.pop("gan")
    return {
        "name": name,
        "generator": recipe.generator,
        "generator_args": dict(recipe.generator_args),
        "region": region,
        "size_wh": [width, height],
        "output": recipe.output,
        **({"begun_with": outcome.begun_with} if outcome.begun_with else {}),
        **made_by,
        "data": {
            "what": f"{len(pairs.names)} pairs, {outcome.learned} learned from, {outcome.held_out} held out",
            "terms": pairs.terms,
            "pictures_included": False,
            "pixels_sha256": pairs.digest(),
        },
        "objectives": objectives,
        "recipe": told,
        "seed": recipe.seed,
        "steps": progress.step,
        "kept_step": progress.best_step,
        "scores": {key: round(value, 3) for key, value in progress.best.items()},
        "gmac": round(gmac(outcome.net, (width, height)), 4),
        "parameters": parameters(outcome.net),
        "trained_on": outcome.device,
        "minutes": round(progress.seconds / 60, 1),
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
    }
