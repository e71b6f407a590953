"""Face recognition: crops, networks, embeddings, and decisions on persons."""
