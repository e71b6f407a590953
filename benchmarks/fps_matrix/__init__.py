"""The FPS benchmark: looks, sizes, runtimes and precisions."""
