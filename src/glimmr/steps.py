"""The steps of the line by name: the words that jobs, commands and metrics say."""

ROOMS = ("scan", "download", "parse", "publish")
"""The steps in which prices walk, in their order."""
BY_THE_CLOCK = ("upkeep",)
"""What is due by the clock."""
STEPS = (*ROOMS, *BY_THE_CLOCK)
"""All steps, in the order in which they are told."""
