"""Aligned crops of a frame: where they lie, their masks, and their light."""
