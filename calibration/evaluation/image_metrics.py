"""Full-reference image metrics: PSNR, SSIM and CIEDE2000."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.training.metrics.psnr import psnr_db

__all__ = ["MAX_PSNR_DB", "SSIM_MIN_SIDE_PX", "lab", "mean_ciede2000", "mse_to_psnr_db", "psnr_db", "ssim"]

SSIM_MIN_SIDE_PX = 11  # the Gaussian window is cut off at 3.5 sigma on both sides
MAX_PSNR_DB = 100.0  # of equal images


def mse_to_psnr_db(mean_square_error: float) -> float:
    """Return 10 log10(255^2 / MSE) in dB, at most `MAX_PSNR_DB`, for an MSE in squared levels of 255."""
    if mean_square_error <= 0:
        return MAX_PSNR_DB
    return min(MAX_PSNR_DB, 10 * float(np.log10(255.0**2 / mean_square_error)))


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
