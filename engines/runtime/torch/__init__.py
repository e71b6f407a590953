"""PyTorch runtimes: the FP32 reference on the CPU, and CUDA."""
