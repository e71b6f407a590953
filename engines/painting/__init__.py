"""Painting a photo in the style of pictures (Gatys et al., arXiv:1508.06576), and the networks that it needs."""
