"""Networks of other programs: checkpoints and graphs become styles."""
