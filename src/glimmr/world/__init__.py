"""The simulated internet of hospitals, a pure function of a seed: for the demo, tests and load."""

from glimmr.world.build import PRA_HOST, Expect, File, Site, World, world
from glimmr.world.hospitals import Hospital
from glimmr.world.hpt import pointers
from glimmr.world.known import findable
from glimmr.world.pra import PraRules
from glimmr.world.server import Server, serve, serve_in_thread
from glimmr.world.truth import DIGEST_COLUMNS, digest

__all__ = [
    "DIGEST_COLUMNS",
    "PRA_HOST",
    "Expect",
    "File",
    "Hospital",
    "PraRules",
    "Server",
    "Site",
    "World",
    "digest",
    "findable",
    "pointers",
    "serve",
    "serve_in_thread",
    "world",
]
