"""In-memory twins of the adapters; they pass the same suites as the real ones."""
