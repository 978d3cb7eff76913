"""Density estimators on grids of integer codes."""
