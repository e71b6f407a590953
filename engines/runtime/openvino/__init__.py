"""OpenVINO runtimes: CPU, and Intel GPU and NPU."""
