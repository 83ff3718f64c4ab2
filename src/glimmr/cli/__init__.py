"""Doors for words: the commands. They ask the rooms and show what these say; they decide nothing."""

from glimmr.cli.main import main

__all__ = ["main"]
