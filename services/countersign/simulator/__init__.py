"""A stand-in for Duo: an honest Universal Prompt to develop, demonstrate and test with."""
