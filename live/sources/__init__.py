"""Frame sources: cameras, video files, still pictures and the built-in demo."""
