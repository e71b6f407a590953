"""Makes the finished frame: regions, engines, blending, and the privacy policy."""
