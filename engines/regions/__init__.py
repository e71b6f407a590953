"""Aligned crops of a frame: geometry, masks, illumination, temporal filtering."""
