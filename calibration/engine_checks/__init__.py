"""Engines compared with the FP32 reference."""
