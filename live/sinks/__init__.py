"""Frame sinks: virtual camera, preview window, video file, and none."""
