"""Expression networks: architectures, recipe, training, evaluation."""
