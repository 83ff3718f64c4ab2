"""Every US hospital's published prices, brought home into one table that anyone can query."""

__version__ = "0.1.0"
