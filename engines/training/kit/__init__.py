"""The training kit: any generator from pairs of pictures, on whatever device there is."""
