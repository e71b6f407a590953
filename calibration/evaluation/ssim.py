"""How near one picture is to another, in numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.training.metrics.psnr import psnr_db

__all__ = ["SSIM_LEAST_SIDE_PX", "psnr_db", "ssim"]

SSIM_LEAST_SIDE_PX = 11  # the window of 3.5 sigma to both sides


def ssim(one_rgb: NDArray[np.uint8], other_rgb: NDArray[np.uint8]) -> float:
    """Structural similarity of two (H, W, 3) uint8 pictures, 1.0 where they are equal; mean over the colours.

    Gaussian window of 1.5 pixels, as in Wang et al., "Image Quality Assessment: From Error Visibility to Structural
    Similarity", IEEE TIP 13(4), 2004. Both sides are at least `SSIM_LEAST_SIDE_PX`.
    """
    from skimage.metrics import structural_similarity

    score = structural_similarity(
        one_rgb,
        other_rgb,
        channel_axis=2,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    return float(score)
