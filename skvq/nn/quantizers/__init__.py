"""Quantisers: torch modules that turn vectors into codes and back."""
