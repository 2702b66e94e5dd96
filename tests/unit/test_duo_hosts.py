"""Which API hosts pass the list, and how the adapter is made of the process's settings."""

from __future__ import annotations

import pytest

from countersign.adapters.duo.configured import duo_universal_of
from countersign.adapters.duo.hosts import AllowedHosts
from countersign.core.errors import SettingsError
from countersign.settings import load_settings

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
LIST = AllowedHosts("*.duosecurity.com,localhost:8444,*.duo.test:9443")


@pytest.mark.parametrize(
    "host",
    ["api-1.duosecurity.com", "a.b.duosecurity.com", "localhost:8444", "api.duo.test:9443"],
)
def test_listed_hosts_pass(host: str) -> None:
    """A host on the list passes, its port being the pattern's."""
    assert LIST.allows(host)


@pytest.mark.parametrize(
    "host",
    [
        *("duosecurity.com", ".duosecurity.com", "evilduosecurity.com", "-.duosecurity.com"),
        *("api-1.duosecurity.com.evil.com", "api-1.duosecurity.com:444", "API-1.duosecurity.com"),
        *("api-1.duosecurity.com.", "api-1.duosecurity.com\n", "api..duosecurity.com", ""),
        *("evil.com/x.duosecurity.com", "evil.com#.duosecurity.com", "u@api-1.duosecurity.com"),
        *(
            "api-1xduosecurity.com",
            "localhost",
            "localhost:84440",
            "localhost:8445",
            "api.duo.test",
        ),
        *("api-1\\.duosecurity.com", "x.localhost:8444", "evil.com?.duosecurity.com"),
    ],
)
def test_other_hosts_dont(host: str) -> None:
    """No host beside the list passes, however it is dressed."""
    assert not LIST.allows(host)


async def test_made_of_settings() -> None:
    """The settings are all that the adapter needs; making and closing it calls nobody."""
    await duo_universal_of(load_settings(settings_key=KEY)).close()


def test_a_settings_key_is_needed() -> None:
    """Without a settings key the error names it."""
    with pytest.raises(SettingsError, match="COUNTERSIGN_SETTINGS_KEY"):
        duo_universal_of(load_settings())


async def test_a_long_public_url_is_refused() -> None:
    """A public URL that makes too long a redirect URI for Duo is refused by its name."""
    fits = "https://mfa.example.com/" + "a" * (256 - len("https://mfa.example.com//callback"))
    await duo_universal_of(load_settings(settings_key=KEY, public_url=fits)).close()
    with pytest.raises(SettingsError, match=r"COUNTERSIGN_PUBLIC_URL.*257"):
        duo_universal_of(load_settings(settings_key=KEY, public_url=fits + "a"))
