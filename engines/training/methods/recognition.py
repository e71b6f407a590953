"""Recognition: a face network learns from a larger one, and from triplets of its own embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engines.identity.crops import USUAL_SIDE_PX as SIDE_PX
from engines.identity.face_net import FaceNet
from engines.training.config import TrainConfig
from engines.training.data.face_crops import FaceBatch, FaceBatches, FaceCrops
from engines.training.losses.triplet import semi_hard_triplets
from engines.training.method import TrainingMethod, Validation, register

_HELD_OUT = 150  # persons of the validation
_VIEWS = 2


@dataclass(frozen=True, kw_only=True)
class RecognitionConfig(TrainConfig):
    """Config of the face network. `margin` is alpha of the triplet loss, `triplets` its weight."""

    generator: str = "face_net"
    steps: int = 3000
    batch: int = 32
    peak_lr: float = 2e-3
    ema_decay: float = 0.998
    workers: int | None = 0
    margin: float = 0.2
    triplets: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class RecognitionData:
    """Crops and the teacher: a function from RGB crops (N, 112, 112, 3) uint8 to embeddings (N, 256) of length 1."""

    crops: FaceCrops
    teacher: Any

    def __len__(self) -> int:
        """Return the number of persons."""
        return len(self.crops)

    def digest(self) -> str:
        """Return the SHA-256 of the pixels."""
        return self.crops.digest()


@register
class Recognition(TrainingMethod[RecognitionConfig]):
    """The cosine to the teacher's embedding of the unspoilt face, and the triplet loss on all views of a batch.

    `batch` is the number of persons; each is seen in two views.
    """

    name = "recognition"
    config_class = RecognitionConfig
    data_kind = ""
    data: RecognitionData

    def networks(self) -> dict[str, nn.Module]:
        """Return the face network."""
        return {"generator": FaceNet().to(memory_format=torch.channels_last)}  # type: ignore[call-overload]

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Return AdamW for the face network."""
        weights = self.parts.networks["generator"].parameters()
        return {"generator": torch.optim.AdamW(weights, lr=self.config.peak_lr, weight_decay=0.02)}

    def dataset(self, rank: int) -> FaceBatches:
        """Return batches of all persons but those of the validation."""
        crops, _ = self.data.crops.split(_HELD_OUT)
        return FaceBatches(crops, persons=self.config.batch, views=_VIEWS, seed=self.config.seed + 1000 * rank)

    def step(self, batch: FaceBatch) -> dict[str, float]:
        """Train on one batch."""
        wanted = torch.from_numpy(self.data.teacher(batch.teacher_rgb)).to(self.parts.fabric.device).repeat(_VIEWS, 1)
        found = self.parts.wrapped["generator"](self._tensor(batch.views_rgb)).float()
        taught = (1 - (found * wanted).sum(1)).mean()
        persons = torch.arange(len(batch.teacher_rgb), device=found.device).repeat(_VIEWS)
        triplets = semi_hard_triplets(found, persons, self.config.margin)
        self.minimise("generator", taught + self.config.triplets * triplets)
        return {"taught": float(taught.detach()), "triplets": float(triplets.detach())}

    @torch.inference_mode()
    def validate(self) -> Validation:
        """Score persons that were not trained on: the share of views whose nearest other view shows the same person."""
        _, crops = self.data.crops.split(_HELD_OUT)
        batch = FaceBatches(crops, persons=_HELD_OUT, views=_VIEWS, seed=1, made_share=0)[0]
        net = self.parts.averages["generator"]
        found = torch.cat([net(self._tensor(part)) for part in np.array_split(batch.views_rgb, 6)]).cpu().numpy()
        wanted = np.tile(self.data.teacher(batch.teacher_rgb), (_VIEWS, 1))
        cosine = float((found * wanted).sum(1).mean())
        rank1 = _rank1(found[:_HELD_OUT], found[_HELD_OUT:])
        summary = f"cosine {cosine:.3f} to the teacher, rank 1 {100 * rank1:.1f} %"
        return Validation({"cosine": cosine, "rank1": rank1}, "cosine", summary=summary)

    def card(self) -> dict[str, Any]:
        """Return size and data."""
        what = f"{len(self.data)} synthetic faces, one for each person"
        data = {"what": what, "terms": self.data.crops.terms, "pixels_sha256": self.data.digest()}
        return {"size_wh": [SIDE_PX, SIDE_PX], "data": data}

    def _tensor(self, pictures_rgb: NDArray[np.uint8]) -> Tensor:
        pictures = torch.from_numpy(pictures_rgb).to(self.parts.fabric.device)
        return pictures.permute(0, 3, 1, 2).float()


def _rank1(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(((one @ other.T).argmax(1) == np.arange(len(one))).mean())
