"""The variational autoencoder: continuous components and a density."""
