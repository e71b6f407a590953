"""The steps of `veneer train`: photos to regions, regions to pairs, pairs to a style."""
