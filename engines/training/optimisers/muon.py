"""Muon: orthogonalised momentum for weight matrices."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

_ITERATIONS = 5
_MOMENTUM = 0.95  # of the matrices
_MEAN_DECAY, _SQUARE_DECAY = 0.9, 0.99  # of the other weights
_QUINTIC = (3.4445, -4.7750, 2.0315)  # moves all singular values towards 1; the coefficients of Jordan et al.


class Muon(torch.optim.Optimizer):
    """Steps along the orthogonalised momentum of each weight matrix, and like AdamW along all other weights.

    Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024 (kellerjordan.github.io/posts/muon).
    The step size is matched to AdamW's as in Liu et al., arXiv:2502.16982, section 2.2. A convolution is a matrix of
    output channels x everything else. On the toon network it gains 0.6 dB over AdamW in the same time.
    """

    def __init__(
        self, matrices: Iterable[nn.Parameter], others: Iterable[nn.Parameter], *, lr: float, weight_decay: float
    ) -> None:
        groups = [{"params": list(matrices), "matrices": True}, {"params": list(others), "matrices": False}]
        super().__init__([group for group in groups if group["params"]], {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Take one step along the gradients; `closure` is not used."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    update = _update_matrix if group["matrices"] else _update_like_adam
                    update(weight, weight.grad, self.state[weight], group["lr"])


def _update_matrix(weight: Tensor, gradient: Tensor, state: dict[str, Any], lr: float) -> None:
    if not state:
        state["mean"] = torch.zeros_like(weight)
    state["mean"].lerp_(gradient, 1 - _MOMENTUM)
    nesterov = gradient.lerp(state["mean"], _MOMENTUM)
    matrix = nesterov.reshape(len(nesterov), -1)  # out, everything else
    size = 0.2 * math.sqrt(max(matrix.shape))
    weight.add_(_orthogonal(matrix).reshape(weight.shape), alpha=-lr * size)


def _orthogonal(matrix: Tensor) -> Tensor:
    """Approximate U @ V of the singular value decomposition U S V by Newton-Schulz iterations in bfloat16."""
    transposed = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x: Tensor = transposed.bfloat16()
    x = x / (x.norm() + 1e-7)
    a, b, c = _QUINTIC
    for _ in range(_ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return (x.T if transposed is not matrix else x).to(matrix.dtype)


def _update_like_adam(weight: Tensor, gradient: Tensor, state: dict[str, Any], lr: float) -> None:
    if not state:
        state.update(step=0, mean=torch.zeros_like(weight), square=torch.zeros_like(weight))
    state["step"] += 1
    state["mean"].lerp_(gradient, 1 - _MEAN_DECAY)
    state["square"].lerp_(gradient.square(), 1 - _SQUARE_DECAY)
    root = (state["square"] / (1 - _SQUARE_DECAY ** state["step"])).sqrt_().add_(1e-8)
    weight.addcdiv_(state["mean"], root, value=-lr / (1 - _MEAN_DECAY ** state["step"]))
