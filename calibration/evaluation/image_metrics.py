"""Full-reference image metrics: SSIM and CIEDE2000."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SSIM_MIN_SIDE_PX = 11  # the Gaussian window is cut off at 3.5 sigma on both sides


def ssim(first_rgb: NDArray[np.uint8], second_rgb: NDArray[np.uint8]) -> float:
    """Compute the structural similarity of two (H, W, 3) uint8 images, averaged over pixels and channels; 1.0 if equal.

    Both sides must be at least `SSIM_MIN_SIDE_PX`. Wang et al., "Image Quality Assessment: From Error Visibility to
    Structural Similarity", IEEE TIP 13(4), 2004, with its Gaussian window of sigma 1.5 pixels and population
    covariances.
    """
    from skimage.metrics import structural_similarity

    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(structural_similarity(first_rgb, second_rgb, channel_axis=2, data_range=255, **settings))


def lab(image_rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Convert (H, W, 3) sRGB uint8 to CIE L*a*b* (D65), float64."""
    from skimage.color import rgb2lab

    return np.asarray(rgb2lab(image_rgb))


def mean_ciede2000(reference_lab: NDArray[np.float64], image_rgb: NDArray[np.uint8]) -> float:
    """Compute the mean CIEDE2000 difference of an (H, W, 3) sRGB uint8 image from (H, W, 3) L*a*b* values of `lab`.

    Sharma, Wu, Dalal, "The CIEDE2000 Color-Difference Formula", Color Research and Application 30(1), 2005.
    """
    from skimage.color import deltaE_ciede2000

    return float(np.mean(deltaE_ciede2000(reference_lab, lab(image_rgb))))
