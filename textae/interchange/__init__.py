"""Other programs' checkpoints read into our models, and our models written for other programs. No training, no data sets."""
