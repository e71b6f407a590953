"""The optimisers of the kit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from engines.errors import OptionsError
from engines.training.optimisers.soap import Soap
from engines.training.recipe import Recipe

_SOAP_WIDEST = 2048
_ROUNDS = 5
_QUINTIC = (3.4445, -4.7750, 2.0315)  # drives all singular values towards 1; the figures of Jordan et al.


class Muon(torch.optim.Optimizer):
    """Steps along the orthogonalised momentum of each weight matrix, and like AdamW along everything else.

    Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024 (kellerjordan.github.io/posts/muon);
    the size of a step is matched to AdamW's as in Liu et al., arXiv:2502.16982, section 2.2. A convolution counts as a
    matrix of outputs x everything else. On the toon network it is worth 0.6 dB over AdamW in the same time.

    Args:
        matrices: weights of two axes or more.
        others: biases, and the first and last layers.
        lr: step size, of both.
        momentum: of the matrices.
        betas: of the others.
        weight_decay: of both.
    """

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        others: Iterable[nn.Parameter],
        *,
        lr: float,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        shared = {"lr": lr, "momentum": momentum, "betas": betas, "weight_decay": weight_decay}
        groups = [{"params": list(matrices), "turned": True}, {"params": list(others), "turned": False}]
        super().__init__([group for group in groups if group["params"]], shared)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One step along the gradients that lie on the weights; `closure` is not used."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                (_along_matrix if group["turned"] else _along_adam)(weight, state, group)


def _along_matrix(weight: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    if not state:
        state["mean"] = torch.zeros_like(weight)
    gradient = weight.grad
    assert gradient is not None
    state["mean"].lerp_(gradient, 1 - group["momentum"])
    ahead = gradient.lerp(state["mean"], group["momentum"])  # Nesterov's
    matrix = ahead.reshape(len(ahead), -1)  # out, everything else
    size = 0.2 * math.sqrt(max(matrix.shape))
    weight.add_(_orthogonal(matrix).reshape(weight.shape), alpha=-group["lr"] * size)


def _orthogonal(matrix: Tensor) -> Tensor:
    """U @ V of the matrix's singular value decomposition U S V, roughly, by Newton-Schulz steps."""
    turned = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x: Tensor = turned.bfloat16()
    x = x / (x.norm() + 1e-7)
    a, b, c = _QUINTIC
    for _ in range(_ROUNDS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return (x.T if turned is not matrix else x).to(matrix.dtype)


def _along_adam(weight: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    if not state:
        state.update(step=0, mean=torch.zeros_like(weight), square=torch.zeros_like(weight))
    state["step"] += 1
    decay_mean, decay_square = group["betas"]
    gradient = weight.grad
    assert gradient is not None
    state["mean"].lerp_(gradient, 1 - decay_mean)
    state["square"].lerp_(gradient.square(), 1 - decay_square)
    root = (state["square"] / (1 - decay_square ** state["step"])).sqrt_().add_(1e-8)
    weight.addcdiv_(state["mean"], root, value=-group["lr"] / (1 - decay_mean ** state["step"]))


def build_optimiser(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser. The first and the last layer are no matrices to Muon: they stand for colours."""
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(net.parameters(), recipe.peak_lr, (0.9, 0.99), weight_decay=recipe.weight_decay)
    weights = list(net.parameters())
    if recipe.optimiser == "soap":
        widest = max(max(weight[0].numel(), len(weight)) for weight in weights if weight.ndim > 1)
        if widest > _SOAP_WIDEST:
            got = f"a layer of {recipe.generator} is {widest} wide: its covariance would fill the memory"
            raise OptionsError("optimiser 'soap'", got, "use --optimiser muon")
        return Soap(weights, lr=recipe.peak_lr)
    wide = [weight for weight in weights if weight.ndim > 1]
    outer = {id(wide[0]), id(wide[-1])}
    matrices = [weight for weight in wide if id(weight) not in outer]
    kept = {id(weight) for weight in matrices}
    others = [weight for weight in weights if id(weight) not in kept]
    return Muon(matrices, others, lr=recipe.peak_lr, weight_decay=recipe.weight_decay)


def lr_at(step: int, recipe: Recipe) -> float:
    """One cycle: up in a line, then down half a cosine to nothing."""
    rise = min(1.0, (step + 1) / recipe.warm_up_steps)
    return recipe.peak_lr * rise * 0.5 * (1 + math.cos(math.pi * min(1.0, step / recipe.steps)))
