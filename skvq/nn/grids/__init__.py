"""Causal networks over grids of codes."""
