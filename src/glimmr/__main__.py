"""`python -m glimmr` is `glimmr`."""

from glimmr.cli import main

main()
