"""A stand-in for Duo, to develop and test with: Duo's protocol, honestly, and no second factor at all."""
