"""The autoencoder: continuous features, reconstructions, and how badly a row is reconstructed."""
