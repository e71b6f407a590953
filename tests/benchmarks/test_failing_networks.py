"""Networks that fail in `python -m benchmarks.engines`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.engine_matrix import checkout_jobs
from benchmarks.engine_matrix.measurement import Row, measure
from benchmarks.engines import report


class _Bessel(nn.Module):
    """A network with an operation that OpenVINO does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, rgb: Tensor) -> Tensor:
        return torch.special.bessel_j0(self.conv(rgb))


class _Nan(_Bessel):
    def forward(self, rgb: Tensor) -> Tensor:
        return self.conv(rgb) * float("nan")


def measured(net: nn.Module) -> list[Row]:
    job = checkout_jobs.Job("net", "net", (64, 64), fresh=True, make=lambda: net)
    return measure([job], 1, "cpu", seconds=0.01, threads=1)


def test_a_network_that_fails_is_listed_with_the_reason() -> None:
    eager, converted, _ = rows = measured(_Bessel())
    assert eager.median_ms and not eager.failed
    assert converted.median_ms is None and "special_bessel_j0" in converted.failed
    assert f"{converted}: {converted.failed}" in report(rows)
    assert eager.x_ours is None, "ours was not in this run"


def test_a_network_that_returns_nan_has_no_times() -> None:
    rows = measured(_Nan())
    assert all(row.median_ms is None and (row.unavailable or "NaN" in row.failed) for row in rows)
