"""Image autoencoders on the shared core; their models arrive with the image half of the toolkit."""
