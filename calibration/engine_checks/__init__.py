"""Engine accuracy: comparison with the FP32 reference, tolerances and INT8 quantisation."""
