"""Face recognition networks: the embedded one and those that the user added."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines import paths
from engines.errors import OptionsError
from engines.identity.crops import USUAL_EYES_XY, USUAL_SIDE_PX, Eyes, face_crop
from engines.runtime.openvino.converted_graph import openvino_core
from engines.text import did_you_mean, first_line
from engines.untrusted_files import read_json

EMBEDDED = "embedded"
SHIPPED = Path(__file__).parents[1] / "weights" / "identity"
_MAX_FEATURES = 4096

Embeddings = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class NetworkCard:
    """What a network takes, and what its distances mean.

    Attributes:
        version: Changes with the weights; embeddings of different versions are not compared.
        full_scale: The value of white.
        threshold: Two faces are taken for one person below this squared distance of embeddings of length 1, 0..4.
    """

    name: str
    version: str
    side_px: int = USUAL_SIDE_PX
    eyes_xy: Eyes = USUAL_EYES_XY
    full_scale: float = 255.0
    threshold: float = 1.0


class IdentityNetwork:
    """A network that maps face crops to embeddings of length 1.

    Args:
        card: What it takes.
        graph: File of an OpenVINO graph or of an ONNX model: RGB (N, 3, S, S) to (N, features).

    Raises:
        OptionsError: The file is not a graph of that form.
    """

    def __init__(self, card: NetworkCard, graph: Path) -> None:
        self.card = card
        asked, do = f"identity network {graph}", "name an OpenVINO, ONNX or OpenFace file of a face recognition network"
        try:
            model, core = openvino_core().read_model(str(graph)), openvino_core()
            if len(model.inputs) != 1:
                raise OptionsError(asked, f"it has {len(model.inputs)} inputs", do)
            model.reshape({0: [1, 3, card.side_px, card.side_px]})
            about = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
            self._compiled = core.compile_model(model, "CPU", about)
            found = self._compiled([np.zeros((1, 3, card.side_px, card.side_px), np.float32)])[0]
        except RuntimeError as error:
            raise OptionsError(asked, first_line(error), do) from error
        if found.ndim < 2 or not 8 <= found.size <= _MAX_FEATURES:
            raise OptionsError(asked, f"its output is of shape {found.shape}", do)

    def embed(self, bgr: NDArray[np.uint8], landmarks_xy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the embedding (features,) of a face of a picture (H, W, 3) with landmarks (478, 2)."""
        return np.asarray(self.of_crops(face_crop(bgr, landmarks_xy, self.card.side_px, self.card.eyes_xy)[None])[0])

    def of_crops(self, crops_rgb: NDArray[np.uint8]) -> Embeddings:
        """Return embeddings (N, features) of RGB crops (N, S, S, 3)."""
        scale = np.float32(self.card.full_scale / 255)
        inputs = (crop.transpose(2, 0, 1)[None] * scale for crop in crops_rgb)
        found = np.stack([np.array(self._compiled([one])[0], np.float32).ravel() for one in inputs])
        return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9), np.float32)


def own_folder() -> Path:
    """Return the folder of the networks that the user added."""
    return paths.data_dir() / "identity"


def network_names() -> tuple[str, ...]:
    """Return the names of all networks: the embedded one first."""
    return EMBEDDED, *sorted(path.stem for path in own_folder().glob("*.json"))


def open_network(name: str = EMBEDDED) -> IdentityNetwork:
    """Load a network by name. Raises OptionsError if there is none, or its files are not usable."""
    if name not in network_names():
        do = did_you_mean(name, network_names(), otherwise=f"there are {', '.join(network_names())}")
        raise OptionsError(f"--network {name}", "there is no such identity network", do)
    folder = SHIPPED if name == EMBEDDED else own_folder()
    return IdentityNetwork(_read_card(folder / f"{name}.json"), folder / f"{name}.xml")


def save_card(card: NetworkCard, path: Path, **about: Any) -> None:
    """Write a card as JSON, with further entries."""
    path.write_text(json.dumps({**asdict(card), **about}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def network_versions() -> dict[str, str]:
    """Return the name of each network by its version, without those whose cards are not usable."""
    versions = dict[str, str]()
    for name in network_names():
        with contextlib.suppress(OptionsError):
            card = _read_card((SHIPPED if name == EMBEDDED else own_folder()) / f"{name}.json")
            versions[card.version] = name
    return versions


def _read_card(path: Path) -> NetworkCard:
    asked, do = f"identity network {path}", "add it again: veneer models add identity FILE"
    try:
        found = read_json(path)
        (left, top), (right, below) = found["eyes_xy"]
        eyes = (float(left), float(top)), (float(right), float(below))
        numbers = {key: float(found[key]) for key in ("full_scale", "threshold")}
        return NetworkCard(str(found["name"]), str(found["version"]), int(found["side_px"]), eyes, **numbers)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OptionsError(asked, f"its card is not usable ({first_line(error)})", do) from error
