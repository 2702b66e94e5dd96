"""Values and laws, pure: no I/O, no clock, no randomness, and importing it opens nothing."""
