"""A sample relying party, built on the client alone: copy from it."""
