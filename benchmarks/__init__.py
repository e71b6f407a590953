"""Benchmarks: speed, latency, stability and accuracy on the current machine."""
