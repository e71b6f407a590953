"""A face swap on one frame: another person's face in the aligned region, in the colours of the face below it."""

from __future__ import annotations

import time
from dataclasses import replace

import cv2
import numpy as np

from engines.regions.aligned_face import aligned_face, guide_lines, guided, oval_mask
from engines.regions.face_colours import face_colours, from_usual, to_usual
from engines.regions.hand_shapes import uncovered
from live.render.blending import as_picture, blend_picture
from live.render.paint_job import PaintJob, infer


def swap_faces(job: PaintJob) -> int:
    """Swap every face of a layer; return the number of faces left bare."""
    started_s = time.perf_counter()
    frame_bgr, size_wh = job.frame_bgr, job.style.size_wh
    frame_wh = frame_bgr.shape[1], frame_bgr.shape[0]
    regions, inputs, colours = [], [], []
    for number, (face, temporal) in enumerate(zip(job.faces, job.filters, strict=True)):
        region = aligned_face(face.landmarks_xy, size_wh, frame_wh)
        if region is None:
            continue
        crop_bgr = region.crop(frame_bgr)
        colours.append(face_colours(crop_bgr, temporal, job.at_s))
        inputs.append(guided(to_usual(crop_bgr, colours[-1]), guide_lines(region, face.landmarks_xy, size_wh[1])))
        name = f"mask {job.index} {number}"
        mask = region.uncrop(oval_mask(region, face.landmarks_xy), job.workspace, name)
        if face.hands:
            cv2.min(mask, uncovered(region.inner, face.hands), dst=mask)
        regions.append(replace(region, mask=np.asarray(mask, np.uint8)))
    cropped_s = time.perf_counter()
    job.stats.region_ms += (cropped_s - started_s) * 1e3
    if regions:
        outputs = infer(job.layer, inputs)
        generated_s = time.perf_counter()
        job.stats.generate_ms += (generated_s - cropped_s) * 1e3
        for region, output, own in zip(regions, outputs, colours, strict=True):
            blend_picture(frame_bgr, region, as_picture(from_usual(output, own)), job.strength, job.workspace)
        job.stats.composite_ms += (time.perf_counter() - generated_s) * 1e3
    return len(job.faces) - len(regions)
