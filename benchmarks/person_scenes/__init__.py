"""Scenes with known person masks, and how much of the persons a look leaves photographic."""
