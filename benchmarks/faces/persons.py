"""Face recognition side by side: `python -m benchmarks.faces.persons PROBES GALLERY [--network NAME...]`.

Every photo of PROBES is compared with every photo of GALLERY. Files are named PERSON_anything in both. Errors at the
shipped threshold are also counted by skin tone of the probe (see `benchmarks.faces.skin_tones`): how many probes are
refused, the share of other persons for whom they are taken, and the mean of both shares against that of all.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.arguments import Parser, run_main
from benchmarks.common.machine_info import report
from benchmarks.faces.skin_tones import mean_skin, tone
from calibration.evaluation.image_metrics import lab
from calibration.evaluation.likeness import person_of
from calibration.sets.region_collector import photos_in
from engines.errors import OptionsError
from engines.identity.decision import scores
from engines.identity.network import IdentityNetwork, network_names, open_network
from live.picture_files.picture_reader import read_picture
from live.pipeline.frame import Face, Frame, ImageU8
from live.tracking.face_mesh import FaceMeshTracker

Found = list[tuple[str, ImageU8, Face]]


def faces_in(folder: Path) -> Found:
    """Return the person, the picture and the face of each photo. Raises VeneerError."""
    found: Found = []
    with closing(FaceMeshTracker(max_faces=1, smooth=False, still=True)) as tracker:
        for photo in photos_in([folder]):
            bgr = read_picture(photo)
            found += [(person_of(photo), bgr, face) for face in tracker.track(Frame(bgr, 0, 0.0))]
    if not found:
        raise OptionsError(str(folder), "no face was found", "name a folder of portraits")
    return found


def measure(network: IdentityNetwork, probes: Found, gallery: Found) -> tuple[list[Any], list[NDArray[np.float64]]]:
    """Return a row of the table, and the shares of each probe's own and other photos that are judged wrongly."""
    started_s = time.process_time()
    one, other = (
        np.stack([network.embed(bgr, face.landmarks_xy) for _, bgr, face in set_]) for set_ in (probes, gallery)
    )
    each_ms = (time.process_time() - started_s) * 1e3 / (len(probes) + len(gallery))
    distance = 2 - 2 * one.astype(np.float64) @ other.T
    same = np.array([[a == b for b, *_ in gallery] for a, *_ in probes])
    limit = network.card.threshold
    found = scores(distance[same], distance[~same], limit)
    rank1 = float(same[np.arange(len(probes)), distance.argmin(1)].mean())
    row = [network.card.name, one.shape[1], *(round(100 * value, 1) for value in (rank1, found.equal_error)), limit]
    row += [round(found.equal_threshold, 3)]
    row += [round(100 * value, 1) for value in (found.balanced, found.false_refusals, found.false_matches)]
    wrong = (distance < limit) != same
    shares = [(wrong & pairs).sum(1) / np.maximum(pairs.sum(1), 1) for pairs in (same, ~same)]
    return [*row, round(each_ms, 2)], shares


def main() -> None:
    """Measure, print the tables and write JSON."""
    parser = Parser("persons", __doc__)
    parser.add_argument("probes", type=Path, help="folder of photos that are looked up")
    parser.add_argument("gallery", type=Path, help="folder of other photos of the same people")
    parser.add_argument("--network", action="append", help="name of a network; by default all")
    parser.add_file("--json")
    options = parser.parse()
    probes, gallery = faces_in(options.probes), faces_in(options.gallery)
    tones = np.array([tone(lab(mean_skin(bgr, face.landmarks_xy))[0, 0]) for _, bgr, face in probes])
    rows, groups = [], defaultdict[str, list[Any]](list)
    for name in options.network or network_names():
        row, (refused, matched) = measure(open_network(name), probes, gallery)
        rows.append(row)
        for group in np.unique(tones):
            of = tones == group
            share = (refused[of].mean() + matched[of].mean()) / max(refused.mean() + matched.mean(), 1e-9)
            groups[name].append((group, int(of.sum()), refused[of].sum(), 100 * matched[of].mean(), share))
    header = ["network", "numbers", "rank 1 %", "equal error %", "threshold", "equal at", "balanced %", "refused %"]
    report([*header, "matched %", "ms"], rows, options.json)
    for name, found in groups.items():
        for group, count, refused_count, matched_percent, share in found:
            line = f"{count} persons, {refused_count:.0f} refused, {matched_percent:.1f} % of others matched"
            print(f"{name}, {group} skin: {line}, error {share:.2f} of the mean")


if __name__ == "__main__":
    sys.exit(run_main("persons", main))
