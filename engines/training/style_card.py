"""A trained style on disk: the weights NAME.safetensors and the style card NAME.json."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from engines.errors import os_errors
from engines.files import atomic_path
from engines.training.generator import example_inputs
from engines.training.method import TrainingMethod
from engines.training.metrics.model_cost import gmac, parameters
from engines.training.progress import Outcome


def style_card(
    name: str, method: TrainingMethod[Any], outcome: Outcome, *, region: str, origin: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the card of a training for one of `engines.styles.REGIONS`; `origin` says where the data comes from."""
    config, progress = outcome.config, outcome.progress
    described = method.card()
    return {
        "name": name,
        "generator": config.generator,
        "generator_args": dict(config.generator_args),
        "region": region,
        "method": method.name,
        **({"started_from": outcome.started_from} if outcome.started_from else {}),
        **origin,
        **described,
        "config": config.to_json(),
        "seed": config.seed,
        "steps": progress.step,
        "kept_step": progress.best_step,
        "scores": {key: round(value, 3) for key, value in progress.best.items()},
        "gmac": round(gmac(outcome.net, described["size_wh"], example_inputs(config, described["size_wh"])), 4),
        "parameters": parameters(outcome.net),
        "trained_on": outcome.device,
        "minutes": round(progress.seconds / 60, 1),
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
    }


def save_style(net: nn.Module, card: Mapping[str, Any], out: Path) -> Path:
    """Write weights and card, with `weights_sha256` added to the card; return the file of the weights.

    Both files are complete before either is renamed to its final name. Raises OptionsError if the folder is not
    writable, or full.
    """
    from safetensors.torch import save

    weights = save({name: tensor.detach().contiguous() for name, tensor in net.state_dict().items()})
    whole_card = {**card, "weights_sha256": hashlib.sha256(weights).hexdigest()}
    target = out / f"{card['name']}.safetensors"
    unwritable = os_errors(f"weights in {out}", "name another folder with --out")
    with unwritable, atomic_path(target.with_suffix(".json")) as card_part, atomic_path(target) as weights_part:
        card_part.write_text(json.dumps(whole_card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        weights_part.write_bytes(weights)
    return target
