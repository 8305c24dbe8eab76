"""The conversation that walks through latent space: what a message means, what it does to the walk, and where it lies on the map."""
