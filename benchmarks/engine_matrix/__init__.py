"""The engine benchmark: generators in every runtime."""
