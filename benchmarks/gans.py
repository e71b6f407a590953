"""Train every network from noise on the same pictures for the same time: `python -m benchmarks.gans`.

All have 32 pixels and get --seconds of CPU time. Two classifiers are trained first: one tells the class of each
sample, the features of a smaller one are compared. One line for each network: SWD by Laplacian level (the finest
first), classes covered, purity of the classes that were asked for, precision and recall, path length, what a step
costs. The picture has one row of samples for each.

Exit code 2: the data is not there, or an option is invalid; one line says which.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.common.arguments import INTERRUPTED, REPEATABLE, Parser
from benchmarks.portraits import picture_classes
from engines.errors import OptionsError
from engines.files import write_json
from engines.training.data.labelled_pictures import LabelledPictures
from engines.training.data.picture_pairs import ImageU8
from engines.training.devices import make_fabric
from engines.training.method import TrainingMethod
from engines.training.methods import FROM_NOISE, load_method
from engines.training.methods.noise import samples
from engines.training.metrics.precision_recall import precision_recall
from engines.training.metrics.sliced_wasserstein import swd_by_level
from engines.training.parts import build_parts, train_step
from engines.training.trainer import fit

_FASHION = Path("/usr/share/datasets/fashion-mnist")
_SAMPLES, _SHOWN, _PAIRS = 500, 20, 100
_LEAST_SHARE = 0.2  # of a class's fair share of the samples, from which on it counts as covered
_STEP = 0.01  # of the path, for its length
_FEATURE_STEPS = 600
_CLASS_STEPS, _CLASS_WIDTH, _CLASS_LAST_RATE = 3000, 32, 0.02  # right on 90 % of the test pictures, after 95 s
_WARM_UP, _TIMED = 4, 8


@dataclasses.dataclass
class Result:
    """What one network reached; see the module docstring."""

    name: str
    steps: int
    step_ms: float
    swd: list[float]
    untrained_swd: float
    covered: int
    purity: float | None
    precision: float
    recall: float
    path_length: float


class Judges(NamedTuple):
    """The classifier that tells classes, and the one whose features are compared."""

    classes: picture_classes.Classifier
    features: picture_classes.Classifier


def main() -> int:
    """Train and measure, print a table, write JSON and the picture; return the exit code."""
    parser = Parser("gans", __doc__)
    parser.add_argument("--method", action="append", default=[], help=f"one of these networks; {REPEATABLE}")
    parser.add_argument("--data", type=Path, default=_FASHION, help="folder of four MNIST files, or CSV of digits")
    parser.add_argument("--seconds", type=float, default=600, help="CPU time for each network")
    parser.add_argument("--most", type=int, default=60_000, help="pictures to use")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_file("--out")
    parser.add_argument("--picture", type=Path, help="PNG of samples")
    try:
        options = parser.parse()
        unknown = set(options.method) - set(FROM_NOISE)
        if unknown:
            raise OptionsError(f"--method {min(unknown)}", "there is no such network", f"use {', '.join(FROM_NOISE)}")
        data, test = picture_classes.read_set(options.data, options.most)
        judges = Judges(
            picture_classes.trained_classifier(
                data, _CLASS_STEPS, options.seed, width=_CLASS_WIDTH, last_rate=_CLASS_LAST_RATE
            ),
            picture_classes.trained_classifier(data, _FEATURE_STEPS, options.seed),
        )
        _, told = picture_classes.judged(judges.classes, test.pictures_rgb)
        print(
            f"classifier: {(told == test.labels.argmax(1)).mean():.1%} of {len(test)} test pictures right", flush=True
        )
        rows, results = [("real", data.pictures_rgb[:_SHOWN])], []
        for name in options.method or FROM_NOISE:
            method = _budgeted(_method(name, data, options.seed), options.seconds)
            result, shown = _result(method, judges, test, options.seed)
            results.append(result)
            rows.append((name, shown))
            print(_line(result), flush=True)
            if options.picture:
                cv2.imwrite(str(options.picture), _sheet(rows))
        write_json(
            "--out", options.out, {"seconds": options.seconds, "results": list(map(dataclasses.asdict, results))}
        )
    except OptionsError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _method(name: str, data: LabelledPictures, seed: int) -> TrainingMethod[Any]:
    chosen = load_method(name)
    values = dict(chosen.presets[""])
    arguments = {**values["generator_args"], **({"classes": picture_classes.CLASSES} if name == "conditional" else {})}
    values |= {"generator_args": arguments, "side_px": picture_classes.SIDE_PX, "seed": seed, "workers": 0}
    return chosen(chosen.config_class(**values, precision="32-true"), data)


def _budgeted(method: TrainingMethod[Any], seconds: float) -> TrainingMethod[Any]:
    """Return the method with as many steps as fit into the CPU time, timed on weights that are thrown away."""
    trial = method.with_config(dataclasses.replace(method.config, **method.timed))
    build_parts(trial, make_fabric("32-true", "cpu"))
    source, start_s = trial.dataset(0), 0.0
    for step in range(_WARM_UP + _TIMED):
        if step == _WARM_UP:
            start_s = time.process_time()
        train_step(trial, source[step], step)
    step_s = (time.process_time() - start_s) / _TIMED * method.cost_share
    steps = max(_TIMED, int(seconds / step_s))
    return method.with_config(dataclasses.replace(method.config, steps=steps, check_every=steps))


def _result(method: TrainingMethod[Any], judges: Judges, test: LabelledPictures, seed: int) -> tuple[Result, ImageU8]:
    untrained = _samples(method.networks()["generator"].eval(), method, seed)[0]
    start_s = time.process_time()
    with TemporaryDirectory() as work:
        net = fit(method, Path(work), fabric=make_fabric("32-true", "cpu")).net
    step_ms = 1000 * (time.process_time() - start_s) / method.config.steps
    made, asked = _samples(net, method, seed + 1)
    real = test.pictures_rgb[:_SAMPLES]
    told = picture_classes.judged(judges.classes, made)[1]
    counts = np.bincount(told, minlength=picture_classes.CLASSES)
    precision, recall = precision_recall(
        picture_classes.judged(judges.features, real)[0], picture_classes.judged(judges.features, made)[0]
    )
    result = Result(
        method.name, method.config.steps, step_ms, swd_by_level(list(made), list(real)),
        float(np.mean(swd_by_level(list(untrained), list(real)))),
        int((counts >= _LEAST_SHARE * len(made) / picture_classes.CLASSES).sum()),
        None if asked is None else float((told == asked).mean()), precision, recall,
        _path_length(net, judges.features, method, seed),
    )  # fmt: skip
    return result, made[:: max(1, len(made) // _SHOWN)][:_SHOWN]


@torch.inference_mode()
def _samples(net: Any, method: TrainingMethod[Any], seed: int) -> tuple[ImageU8, NDArray[np.int64] | None]:
    """Return samples and, of a conditional network, the classes that were asked for: equally many of each."""
    classes = method.config.classes
    labels = torch.eye(classes) if classes else torch.zeros(picture_classes.CLASSES, 0)
    columns = _SAMPLES // len(labels)
    pictures = samples(net, labels, columns, seed, picture_classes.SIDE_PX)
    return pictures, np.arange(len(labels)).repeat(columns) if classes else None


@torch.inference_mode()
def _path_length(net: Any, classifier: picture_classes.Classifier, method: TrainingMethod[Any], seed: int) -> float:
    """Return the mean squared change of the features for a short step between two latents (StyleGAN, section 4.1)."""
    noise = torch.randn((2, _PAIRS, net.latent), generator=torch.Generator().manual_seed(seed))
    classes = method.config.classes
    label = torch.eye(classes)[torch.arange(_PAIRS) % classes] if classes else None
    ends = [noise[0] + (noise[1] - noise[0]) * share for share in (0.5, 0.5 + _STEP)]
    one, other = (classifier.features(net(end, label).float().clamp(0, 1)) for end in ends)
    return float(((one - other) / _STEP).square().sum(1).mean())


def _line(result: Result) -> str:
    swd = " ".join(f"{level:.0f}" for level in result.swd)
    purity = "" if result.purity is None else f", {result.purity:.1%} as asked"
    return (
        f"{result.name:<12} {result.steps:>6} steps of {result.step_ms:.0f} ms, SWD {swd} (untrained "
        f"{result.untrained_swd:.0f}), {result.covered} of {picture_classes.CLASSES} classes{purity}, precision "
        f"{result.precision:.2f}, recall {result.recall:.2f}, path {result.path_length:.0f}"
    )


def _sheet(rows: Sequence[tuple[str, ImageU8]]) -> ImageU8:
    """Return one row of samples for each name, BGR."""
    lines = []
    for name, pictures in rows:
        line = np.hstack([np.full((SIDE, 110, 3), 255, np.uint8), *pictures])
        cv2.putText(line, name, (4, 21), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA)
        lines.append(line)
    return np.ascontiguousarray(np.vstack(lines)[..., ::-1])


SIDE = picture_classes.SIDE_PX

if __name__ == "__main__":
    sys.exit(main())
