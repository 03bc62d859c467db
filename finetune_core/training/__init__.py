"""How a model learns: batches, hard negatives, validation, checkpoints; everything that survives a kill."""
