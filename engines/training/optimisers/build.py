"""Build an optimiser by name."""

from __future__ import annotations

import torch
from torch import nn

from engines.errors import OptionsError
from engines.training.optimisers.muon import Muon
from engines.training.optimisers.soap import Soap

OPTIMISERS = ("soap", "muon", "adamw")
_MAX_SOAP_WIDTH = 2048  # a covariance matrix has the square of it


def build_optimiser(name: str, net: nn.Module, *, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    """Return "soap", "muon" or "adamw" for all weights of a network. SOAP has no weight decay.

    Muon treats the first and the last layer as AdamW does: they map to and from colours. Raises OptionsError if a layer
    is too wide for SOAP.
    """
    weights = list(net.parameters())
    if name == "adamw":
        return torch.optim.AdamW(weights, lr, (0.9, 0.99), weight_decay=weight_decay)
    if name == "soap":
        width = max(max(weight[0].numel(), len(weight)) for weight in weights if weight.ndim > 1)
        if width > _MAX_SOAP_WIDTH:
            got = f"a layer of the generator is {width} wide: its covariance needs too much memory"
            raise OptionsError("optimiser 'soap'", got, "use --optimiser muon")
        return Soap(weights, lr=lr)
    wide = [weight for weight in weights if weight.ndim > 1]
    matrices = {id(weight) for weight in wide} - {id(wide[0]), id(wide[-1])}
    return Muon(
        [weight for weight in weights if id(weight) in matrices],
        [weight for weight in weights if id(weight) not in matrices],
        lr=lr, weight_decay=weight_decay,
    )  # fmt: skip
