"""Says whether a service lives and is ready, and what it counts, on a port of its own."""
