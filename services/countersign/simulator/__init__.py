"""A stand-in for Duo, to develop, demonstrate and test with: Duo's protocol, honestly, and no second factor."""
