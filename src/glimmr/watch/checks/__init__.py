"""One look at each component, as a plain function that may hang or raise: see `watch.health`."""
