"""Toon: a clean drawing with dark lines along the edges, flat tones and saturated colours."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.training.data.aligned import AlignedRegion
from engines.training.data.picture_pairs import ImageU8
from engines.training.teachers.face_parts import Parts, find_parts
from engines.training.teachers.flow import Streamlines, dark_lines, ink, tangent_flow
from engines.training.teachers.shading import Floats, abstracted, blend, blurred_within, flattened, rise, soft_steps

_SIDE_PX = 512  # widths below are for a picture of this size
_TEXTURE_PX = 4.5  # at half that size; smaller structures are texture


def toon(region: AlignedRegion) -> NDArray[np.uint8]:
    """Return the region as a drawing, (S, S, 3) RGB uint8."""
    parts = find_parts(region)
    rgb = _plain(np.asarray(region.rgb, np.uint8), parts)
    calm = abstracted(rgb, times=3, colours=20.0, reach_px=4.0)
    lab = _lab(calm)
    flow = Streamlines(tangent_flow(lab, 3.0), length_px=24.0)
    flowing = flow.smooth(lab, 6.0)
    tones = flow.smooth(_tones(rgb, flowing, parts), 3.0)  # smooth borders of the tones
    tones = _features(tones, region.rgb, flowing, parts)
    tones[..., 0] += 0.33 * np.maximum(parts.face, parts.skin) * (lab[..., 0] - tones[..., 0])  # keeps the likeness
    lines = _lines(lab[..., 0], flow, parts)
    dark = tones * np.array([0.1, 0.4, 0.4], np.float32) + np.array([2.0, 1.0, 1.0], np.float32)
    return _rgb(blend(tones, dark, lines))  # lines have a dark shade of the tone below


def _lab(rgb: ImageU8) -> Floats:
    """Convert (S, S, 3) RGB uint8 to CIE Lab, float32, L 0..100."""
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def _rgb(lab: Floats) -> ImageU8:
    """Convert (S, S, 3) CIE Lab float32 to RGB uint8."""
    rgb = np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.float32)
    return np.asarray(np.rint(rgb.clip(0, 1) * 255), np.uint8)


def _tones(rgb: ImageU8, flowing: Floats, parts: Parts) -> Floats:
    """Return the coloured areas without lines, CIE Lab (S, S, 3)."""
    half = np.asarray(cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    flat, flatter = _flat(half, 3), _flat(half, 8)
    base = blend(flatter, flat, np.maximum(0.5, parts.face))
    base[..., 0] += 0.7 * (soft_steps(base[..., 0], 12.0, 4.0) - base[..., 0])
    base[..., 1:] = _richer(base[..., 1:], 1.45)
    hair = blend(flat, flowing, np.full_like(parts.hair, 0.6))
    hair[..., 0] = 0.2 * hair[..., 0] + 0.8 * soft_steps(hair[..., 0], 11.0, 6.0)
    hair[..., 1:] = _richer(flatter[..., 1:], 1.35)
    base = blend(base, hair, parts.hair)
    return blend(base, _skin_tones(flatter, parts), parts.skin)


def _plain(rgb: ImageU8, parts: Parts) -> ImageU8:
    """Return the picture without the texture of cloth, leaves and walls, (S, S, 3) RGB uint8.

    Rolling guidance (Q. Zhang et al., "Rolling Guidance Filter", ECCV 2014): a blur removes small structures, then
    joint bilateral filtering restores the remaining edges. Areas of pure texture are left blurred.
    """
    half = np.asarray(cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    plain = np.asarray(cv2.GaussianBlur(half, (0, 0), _TEXTURE_PX), np.uint8)
    for _ in range(4):
        plain = np.asarray(cv2.ximgproc.jointBilateralFilter(plain, half, 19, 28.0, _TEXTURE_PX), np.uint8)
    texture = _texture(half)
    soft = cv2.GaussianBlur(plain, (0, 0), _TEXTURE_PX)
    painted = blend(plain.astype(np.float32), soft.astype(np.float32), texture)
    size_wh = rgb.shape[1::-1]
    painted, texture = (cv2.resize(one, size_wh, interpolation=cv2.INTER_CUBIC) for one in (painted, texture))  # type: ignore[assignment]
    strands = parts.hair * (1 - texture)  # a scarf is masked as hair but has no strands
    keep = np.maximum.reduce((parts.face, parts.skin, strands))
    return np.asarray(np.rint(blend(painted, rgb.astype(np.float32), keep).clip(0, 255)), np.uint8)


def _texture(half_rgb: ImageU8) -> Floats:
    """Return where the picture has texture without a dominant direction, (S/2, S/2) 0..1."""
    grey = cv2.GaussianBlur(cv2.cvtColor(half_rgb, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.0)
    x, y = (cv2.Scharr(grey, cv2.CV_32F, *way) / 32 for way in ((1, 0), (0, 1)))
    xx, xy, yy = (cv2.GaussianBlur(product, (0, 0), 8.0) for product in (x * x, x * y, y * y))
    slopes = xx + yy  # trace of the structure tensor; the eigenvalues' difference over it is the coherence
    one_way = np.sqrt((xx - yy) ** 2 + 4 * xy * xy) / (slopes + 1e-6)
    rough = rise(np.sqrt(slopes), 6.0, 14.0) * (1 - rise(one_way, 0.25, 0.45))
    return np.asarray(cv2.GaussianBlur(rough, (0, 0), 4.0).clip(0, 1), np.float32)


def _flat(half_rgb: ImageU8, times: int) -> Floats:
    """Return the picture in flat areas, CIE Lab (S, S, 3), computed at half the size."""
    calm = abstracted(half_rgb, times=times, colours=22.0, reach_px=4.0)
    lab = flattened(_lab(calm), calm, strength=30.0, colours=5.0)
    return np.asarray(cv2.resize(lab, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), np.float32)


def _richer(chroma: Floats, times: float) -> Floats:
    """Return a and b with higher saturation; saturated colours change less."""
    size = np.sqrt((chroma**2).sum(-1, keepdims=True))
    return np.asarray(chroma * (1 + (times - 1) / (1 + (size / 45) ** 2)), np.float32)


def _skin_tones(flatter: Floats, parts: Parts) -> Floats:
    """Return skin in a few soft tones around the person's own, with slightly warmer shade, CIE Lab."""
    own = parts.skin_lab
    step = 0.15 * float(own[0]) + 5.0
    wide = blurred_within(flatter, parts.skin, 0.022 * parts.face_px)
    off = wide[..., 0] - own[0]
    off = np.where(off > 0, 1.6 * step * np.tanh(off / (1.6 * step)), off)  # shine gets no tone of its own
    stepped = 0.12 * off + 0.88 * soft_steps(off, step, 7.0)
    chroma = 0.55 * wide[..., 1:] + 0.45 * own[1:]
    skin = np.empty_like(flatter)
    skin[..., 0] = own[0] + stepped + 2.0
    skin[..., 1:] = _richer(chroma, 1.32)
    skin[..., 1] += 0.12 * np.clip(-stepped, 0, 30)
    return skin


def _features(base: Floats, rgb: ImageU8, flowing: Floats, parts: Parts) -> Floats:
    """Return the tones with eyes, brows, lips and teeth, CIE Lab."""
    fine = _lab(cv2.bilateralFilter(rgb, 5, 25.0, 2.0))  # type: ignore[arg-type]
    eyes = fine.copy()
    middle = cv2.GaussianBlur(fine[..., 0], (0, 0), 0.05 * parts.face_px)
    eyes[..., 0] = middle + 1.45 * (fine[..., 0] - middle) + 2.5 + 1.5 * parts.irises
    eyes[..., 1:] = _richer(fine[..., 1:], 1.3)
    base = blend(base, eyes, 0.85 * parts.eyes)
    brows = flowing.copy()
    brows[..., 0] = 0.88 * brows[..., 0]
    base = blend(base, brows, 0.6 * parts.brows)
    lips = flowing.copy()
    lips[..., 0] = 0.35 * lips[..., 0] + 0.65 * soft_steps(lips[..., 0], 12.0, 4.0)
    lips[..., 0] += 2.0
    lips[..., 1:] = _richer(lips[..., 1:], 1.4)
    base = blend(base, lips, 0.9 * parts.lips)
    mouth = flowing.copy()
    mouth[..., 0] = mouth[..., 0] + 5.0 * np.tanh((mouth[..., 0] - 55) / 12)
    mouth[..., 2] *= 0.75
    return blend(base, mouth, 0.9 * parts.mouth_opening)


def _lines(lightness: Floats, flow: Streamlines, parts: Parts) -> Floats:
    """Return the coverage of the lines, (S, S) 0..1."""
    response = np.dstack([dark_lines(lightness, sigma_px) for sigma_px in (1.5, 2.5, 4.0)])
    response = blend(flow.smooth(response, 6.0), flow.smooth(response, 12.0), parts.hair)  # longer strokes in hair
    # Contrast relative to the local lightness gives the same drawing in dim light.
    response *= (62 / (cv2.GaussianBlur(lightness, (0, 0), 12.0) + 22)).clip(0.7, 2.0)[..., None]
    fine, broad, widest = (response[..., i] for i in range(3))
    clear = np.maximum.reduce((parts.eyes, parts.brows, 0.8 * parts.lips))
    inner = _inner(np.maximum.reduce((parts.skin, clear, parts.mouth_opening)), 0.03 * parts.face_px)
    face = np.maximum.reduce((parts.face, parts.skin, parts.hair))
    threshold = 3.4 - 2.2 * face
    outline = (4 * parts.person * (1 - parts.person)).clip(0, 1)
    for value, mask in (
        (0.8, cv2.GaussianBlur(outline, (0, 0), 5.0)),
        (2.2, parts.hair),
        (4.4, inner),
        (1.0, 0.8 * parts.jaw),
        (1.5, 0.8 * parts.nose),
        (1.3, parts.nostrils),
        (1.7, clear),
        (5.0, parts.mouth_opening),
    ):
        threshold += (value - threshold) * mask
    mouth = np.maximum(parts.lips, parts.mouth_opening)
    round_mouth = cv2.GaussianBlur(mouth, (0, 0), 0.06 * parts.face_px) * (1 - mouth) * parts.face
    threshold += 5.0 * round_mouth  # the shade around lips is not a line
    open_eyes = _inner(parts.eyes, 0.014 * parts.face_px)
    thin = (1 - 0.55 * open_eyes) * ink(fine, threshold, 0.5 * threshold) * (1 - 0.6 * parts.hair)
    thick = (
        ink(broad, threshold, (0.5 + 0.15 * parts.hair) * threshold) * (1 - 0.7 * parts.lips) * (1 - 0.85 * open_eyes)
    )
    soft = np.maximum(ink(widest, 1.7, 0.85) * parts.jaw, 0.75 * ink(widest, 1.4, 0.65) * parts.nose) * (1 - parts.lips)
    strength = 0.8 + 0.15 * face - 0.15 * inner * (1 - clear) - 0.15 * parts.hair - 0.3 * parts.lips
    strength -= 0.3 * parts.brows
    strength *= 1 - 0.22 * np.maximum(parts.face, parts.skin)  # bolder lines change the likeness
    return np.asarray(np.maximum.reduce((thin, thick, 0.8 * soft)) * strength.clip(0, 1), np.float32)


def _inner(mask: Floats, margin_px: float) -> Floats:
    """Return a soft mask without its margin."""
    return np.asarray((2 * cv2.GaussianBlur(mask, (0, 0), margin_px) - 1).clip(0, 1), np.float32)
