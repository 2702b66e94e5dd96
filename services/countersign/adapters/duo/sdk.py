"""Duo's SDK with our transport in it; law: nobody else's use of the SDK is changed.

`duo_universal.client` calls the module-global `requests` without a timeout, and takes nothing else
in its place. So each adapter loads a copy of that module for itself and sets the transport there: no
other adapter, test or library in the process sees it, and the order of loading doesn't matter.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

from jwt import InsecureKeyLengthWarning

from countersign.adapters.duo.transport import Transport


class Client(Protocol):
    """A client of the SDK; it doesn't change, and threads may share it.

    Any method raises any exception, with a text that may quote secrets.
    """

    def health_check(self) -> object:
        """Ask Duo whether it is well, and takes our credentials."""
        ...

    def create_auth_url(self, username: str, state: str, nonce: str) -> str:
        """Return a prompt's address; calls nobody."""
        ...

    def exchange_authorization_code_for_2fa_result(
        self,
        duoCode: str,  # noqa: N803  # the SDK's name
        username: str,
        nonce: str,
    ) -> dict[str, object]:
        """Return the verified claims of the token that Duo gives for the code."""
        ...


def client_class(transport: Transport) -> Callable[..., Client]:
    """Return the SDK's client class, the transport built in."""
    spec = importlib.util.find_spec("duo_universal.client")
    assert spec is not None  # noqa: S101  # for the type checker: a dependency
    assert spec.loader is not None  # noqa: S101  # likewise
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.requests = transport  # type: ignore[attr-defined]  # the seam
    # Duo's secrets have 40 characters, whatever PyJWT thinks of that with HS512; a key of any other
    # length still warns. A filter for the time of a call would not be safe between threads.
    warnings.filterwarnings(
        "ignore", "The HMAC key is 40 bytes long", category=InsecureKeyLengthWarning
    )
    return cast("Callable[..., Client]", module.Client)


def pinned_authorities() -> Path:
    """Return the file of the authorities that Duo's own certificates descend from."""
    spec = importlib.util.find_spec("duo_universal")
    assert spec is not None  # noqa: S101  # for the type checker: a dependency
    assert spec.origin is not None  # noqa: S101  # likewise
    return Path(spec.origin).parent / "ca_certs.pem"
