"""Training methods: networks, data and losses of one way to train."""
