"""How much hypothesis tries in the unit tests: enough to find, little enough to run at every save."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("unit", max_examples=60, deadline=None, print_blob=True)
settings.load_profile("unit")
