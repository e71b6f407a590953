"""Scores of a translation from photos to drawings, compared with the untrained network and the untouched photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from engines.training.data.picture_pairs import ImageU8
from engines.training.data.unpaired_dataset import UnpairedDataset
from engines.training.losses.identity import IdentityNetwork
from engines.training.metrics.psnr import mean_psnr_db
from engines.training.metrics.sliced_wasserstein import sliced_wasserstein

_SWD, _IDENTITY, _CYCLE = "swd", "identity_cosine", "cycle_psnr_db"


class TranslationScores:
    """Sliced Wasserstein distance to the drawings, cosine of the identities, PSNR of the cycle.

    Args:
        held_out: The photos to score on, with all drawings.
        identity: Face recognition network; None leaves the cosine out.
        seed: Of the sliced Wasserstein distance.
    """

    def __init__(self, held_out: UnpairedDataset, identity: IdentityNetwork | None, seed: int) -> None:
        self._data, self._identity, self._seed = held_out, identity, seed
        self._untouched = self._swd(list(held_out.photos_rgb))
        self.untrained: Mapping[str, float] = {}

    def of(self, drawn: Sequence[ImageU8], back: Sequence[ImageU8]) -> dict[str, float]:
        """Return the scores of drawings, and of photos made of these drawings, (S, S, 3) RGB uint8 each."""
        scores = {_SWD: self._swd(drawn), _CYCLE: mean_psnr_db(back, list(self._data.photos_rgb))}
        return scores if self._identity is None else {**scores, _IDENTITY: self._cosine(self._identity, drawn)}

    def compared(self, scores: Mapping[str, float]) -> dict[str, float]:
        """Return the scores with those of the untrained network and the untouched photos."""
        untrained = {f"untrained_{name}": value for name, value in self.untrained.items()}
        return {**scores, **untrained, f"untouched_{_SWD}": self._untouched}

    def summary(self, scores: Mapping[str, float]) -> str:
        """Return one line."""
        line = (
            f"SWD to the drawings {scores[_SWD]:.1f} (untouched {self._untouched:.1f}, "
            f"untrained {self.untrained[_SWD]:.1f}), cycle {scores[_CYCLE]:.1f} dB"
        )
        return f"{line}, identity {scores[_IDENTITY]:.2f}" if _IDENTITY in scores else line

    def _swd(self, pictures: Sequence[ImageU8]) -> float:
        return sliced_wasserstein(pictures, list(self._data.drawings_rgb), seed=self._seed)

    @torch.inference_mode()
    def _cosine(self, network: IdentityNetwork, drawn: Sequence[ImageU8]) -> float:
        device = next(network.buffers()).device
        photos, drawings = (
            torch.from_numpy(np.stack(list(one))).to(device).permute(0, 3, 1, 2).float() / 255
            for one in (self._data.photos_rgb, drawn)
        )
        return float(network.cosine(photos, drawings, torch.from_numpy(self._data.eyes_xy).to(device)).mean())
