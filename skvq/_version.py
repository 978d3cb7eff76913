"""The version of the package, which saved files record."""

__version__ = "0.1.0"
