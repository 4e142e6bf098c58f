"""One file a model family, each of the same shape: build() makes the model that the tasks use."""
