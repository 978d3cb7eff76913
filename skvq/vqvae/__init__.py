"""The vector-quantised autoencoder: discrete codes, and a prior that draws them."""
