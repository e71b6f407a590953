"""Calibration: comparison of engines with the FP32 reference, autotuning, evaluation, the train command."""
