"""Face tracking and person segmentation with MediaPipe."""
