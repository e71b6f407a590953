"""Engine benchmark: generators in every backend."""
