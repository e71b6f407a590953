"""What `benchmarks.gans` measures samples with."""
