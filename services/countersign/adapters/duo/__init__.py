"""Duo's Universal Prompt through Duo's own SDK, with the deadlines and checks that it leaves out."""
