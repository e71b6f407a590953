"""Generators: one module per network, each with a `SPEC` that `engines.generators.registry` finds."""
