"""`veneer train identity`: train the face recognition network from a teacher and photos of many persons."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Option

if TYPE_CHECKING:
    from engines.training.data.face_crops import FaceCrops
    from engines.training.progress import Outcome

_FALSE_MATCHES = 0.0005  # share of the pairs of two persons below the threshold


def identity(
    teacher: Annotated[Path, Option(metavar="FILE", help="OpenVINO or ONNX file of a face network, 256 features.")],
    faces: Annotated[list[Path], Option(metavar="DIR", help="Folders of photos, each of another person.")],
    out: Annotated[Path, Option(metavar="DIR", help="Folder of graph and card.")],
    work: Annotated[Path, Option(metavar="DIR", help="Checkpoints.")] = Path("train-identity"),
    steps: Annotated[int, Option(min=1, help="Training steps.")] = 3000,
    batch: Annotated[int, Option(min=2, help="Persons of one step, each in two views.")] = 32,
    seed: Annotated[int, Option(min=0, max=2**32 - 1, help="The same seed gives the same weights.")] = 0,
    resume: Annotated[bool, Option("--resume", help="Continue from the checkpoint in --work.")] = False,
) -> None:
    """Train the identity network; add the result with veneer models add identity.

    It learns the teacher's embeddings of photos, and to tell persons apart in pictures of webcams: turned, badly lit,
    blurred, compressed. Ctrl-C keeps the checkpoint: continue with --resume.
    """
    from engines.identity.network import IdentityNetwork, NetworkCard
    from engines.training.devices import make_fabric, usual_precision
    from engines.training.methods.recognition import Recognition, RecognitionConfig, RecognitionData
    from engines.training.reporting.progress_bar import counting_bar, stderr_console, training_bar
    from engines.training.trainer import fit

    network = IdentityNetwork(NetworkCard("teacher", ""), teacher)
    with counting_bar(stderr_console(), "finding faces", "photos") as advance:
        crops = collect_crops(faces, advance)
    precision = usual_precision()
    config = RecognitionConfig(
        steps=steps, batch=batch, check_every=max(1, steps // 20), seed=seed, precision=precision
    )
    method = Recognition(config, RecognitionData(crops, network.of_crops))
    with training_bar(stderr_console(), "identity") as watch:
        outcome = fit(method, work, resume=resume, fabric=make_fabric(precision), watch=watch)
    written = save_network(method.with_config(outcome.config), outcome, teacher.stem, out)
    typer.echo(f"identity: {outcome.progress.best_summary} -> {written}")


def collect_crops(folders: list[Path], advance: Any = lambda _total: None) -> FaceCrops:
    """Return the face of every photo in folders. Raises OptionsError if there are too few."""
    from contextlib import closing

    import numpy as np

    from calibration.sets.region_collector import photos_in
    from engines.errors import OptionsError, SourceError
    from engines.identity.crops import face_crop
    from engines.training.data.face_crops import MARGIN_PX, FaceCrops
    from engines.training.data.paired_dataset import terms_of
    from live.picture_files.picture_reader import read_picture
    from live.pipeline.frame import Frame
    from live.tracking.face_mesh import FaceMeshTracker

    found, photos = [], photos_in(folders)
    with closing(FaceMeshTracker(max_faces=1, smooth=False, still=True)) as tracker:
        for photo in photos:
            try:
                bgr = read_picture(photo)
                found += [
                    face_crop(bgr, face.landmarks_xy, margin_px=MARGIN_PX) for face in tracker.track(Frame(bgr, 0, 0.0))
                ]
            except SourceError:
                continue  # one broken file of thousands
            finally:
                advance(len(photos))
    if len(found) < 2:
        got, do = f"{len(found)} faces were found", "name folders with photos of many persons"
        raise OptionsError(f"faces in {', '.join(map(str, folders))}", got, do)
    return FaceCrops(np.stack(found), terms_of(*folders))


def save_network(method: Any, outcome: Outcome, teacher: str, out: Path, name: str = "embedded") -> Path:
    """Write the OpenVINO graph and the card of a trained network; return the path of the graph."""
    import datetime
    import hashlib

    import numpy as np
    import torch

    from engines.errors import os_errors
    from engines.identity.crops import USUAL_SIDE_PX as SIDE_PX
    from engines.identity.face_net import SpreadFaceNet
    from engines.identity.network import NetworkCard, save_card
    from engines.runtime.openvino.converted_graph import load_openvino
    from engines.training.data.face_crops import MARGIN_PX
    from engines.training.metrics.model_cost import parameters

    crops = torch.from_numpy(method.data.crops.rgb[:, MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX])
    with torch.no_grad():
        plain = torch.cat([outcome.net(part.permute(0, 3, 1, 2).float()) for part in torch.split(crops, 64)])
        net = SpreadFaceNet(outcome.net, plain).eval()
        found = torch.nn.functional.normalize((plain - net.mean) @ net.directions)
        others = (2 - 2 * found @ found.T)[torch.triu_indices(len(found), len(found), 1).unbind()]
    threshold = round(float(np.quantile(others.numpy(), _FALSE_MATCHES)), 3)
    openvino, target = load_openvino(), out / f"{name}.xml"
    with os_errors(f"network in {out}", "name another folder with --out"):
        out.mkdir(parents=True, exist_ok=True)
        model = openvino.convert_model(net, example_input=torch.zeros((1, 3, SIDE_PX, SIDE_PX)))
        openvino.save_model(model, target, compress_to_fp16=True)
        about = {
            "method": method.name, "teacher": teacher, **method.card(), "config": outcome.config.to_json(),
            "steps": outcome.progress.step, "kept_step": outcome.progress.best_step,
            "scores": {key: round(value, 3) for key, value in outcome.progress.best.items()},
            "parameters": parameters(outcome.net), "minutes": round(outcome.progress.seconds / 60, 1),
            "threshold_from": f"{_FALSE_MATCHES:.2%} of the pairs of two persons",
            "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        }  # fmt: skip
        version = hashlib.sha256(target.with_suffix(".bin").read_bytes()).hexdigest()[:16]
        save_card(NetworkCard(name, version, threshold=threshold), target.with_suffix(".json"), **about)
    return target
