"""Styles compared with their teachers or with target pictures."""
