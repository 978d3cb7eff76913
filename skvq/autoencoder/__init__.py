"""The autoencoder: continuous features, reconstructions, and the error of each reconstruction."""
