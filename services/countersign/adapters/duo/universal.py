"""`ports.Duo` with Duo's own SDK; law: a call ends by its deadline, in an answer or in our own error."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import timedelta
from pathlib import Path
from time import monotonic as process_monotonic
from typing import Final, NamedTuple, TypeVar

from countersign.adapters.duo.bulkhead import SHARE, THREADS, Bulkhead
from countersign.adapters.duo.faults import carried_fault
from countersign.adapters.duo.health import OPEN_FOR, Health
from countersign.adapters.duo.hosts import AllowedHosts
from countersign.adapters.duo.sdk import Client, client_class, pinned_authorities
from countersign.adapters.duo.transport import Transport
from countersign.adapters.sealing import Sealer
from countersign.core.duo_answer import DuoAnswer, read_duo_answer
from countersign.core.errors import DuoError, DuoRefusedError, SettingsError
from countersign.core.tenant import DuoAccount

MAX_CLIENTS: Final = 1_000
"""Accounts whose client is kept, its secret unsealed; the one used least lately goes."""

_T = TypeVar("_T")


class _Kept(NamedTuple):
    """A client that is kept.

    Attributes:
        account: as it was sealed when last used.
        name: the account by its tenant, id, host and secret, for whatever is counted of each.
        client: Duo's own.
    """

    account: DuoAccount
    name: Hashable
    client: Client


class DuoUniversal:
    """Duo for all tenants of this process; belongs to one event loop.

    Args:
        sealer: opens the accounts' secrets.
        redirect_uri: where Duo sends browsers back to; at most 256 characters.
        hosts: the API hosts that accounts may name, as `duo_hosts` in the settings.
        ca_file: the authorities to trust; None for the ones that Duo's SDK pins.
        timeout: how long a call may take in all.
        threads: so many calls at the same time.
        share: so many of one account, see `Bulkhead`.
        monotonic: seconds of a clock that never goes back, for what is remembered of health checks
            and for how long a call waited for a thread.
        open_for: seconds for which an account that was out of reach is left alone.
    """

    def __init__(  # noqa: PLR0913  # each is a setting, or an argument for tests
        self,
        sealer: Sealer,
        *,
        redirect_uri: str,
        hosts: str,
        ca_file: Path | None,
        timeout: timedelta,
        threads: int = THREADS,
        share: int = SHARE,
        monotonic: Callable[[], float] = process_monotonic,
        open_for: float = OPEN_FOR,
    ) -> None:
        self._sealer = sealer
        self._redirect_uri = redirect_uri
        self._hosts = AllowedHosts(hosts)
        self._ca_file = pinned_authorities() if ca_file is None else ca_file
        seconds = timeout.total_seconds()
        self._transport = Transport(timeout=seconds, connections=threads)
        self._client_class = client_class(self._transport)
        self._clients: OrderedDict[tuple[str, str, str], _Kept] = OrderedDict()
        self._health = Health(monotonic=monotonic, open_for=open_for)
        self._bulkhead = Bulkhead(
            timeout=seconds, monotonic=monotonic, threads=threads, share=share
        )

    async def check(self, tenant: str, account: DuoAccount) -> None:
        """See `ports.Duo.check`; also busy where no thread was free to ask in time."""
        kept = self._kept(tenant, account)

        async def call() -> None:
            await self._called(kept, kept.client.health_check)

        await self._health.check(kept.name, call)

    async def prompt_url(
        self, tenant: str, account: DuoAccount, *, username: str, state: str, nonce: str
    ) -> str:
        """See `ports.Duo.prompt_url`; signs within 0.1 ms, and calls nobody."""
        _need(username, nonce)
        client = self._kept(tenant, account).client
        return _given(_settled(lambda: client.create_auth_url(username, state, nonce)))

    async def exchange(
        self, tenant: str, account: DuoAccount, *, code: str, username: str, nonce: str
    ) -> DuoAnswer:
        """See `ports.Duo.exchange`; also busy where no thread was free in time, the code not used."""
        _need(username, nonce)
        kept = self._kept(tenant, account)
        client = kept.client
        token = await self._called(
            kept,
            lambda: client.exchange_authorization_code_for_2fa_result(code, username, nonce),
        )
        return read_duo_answer(token)

    async def close(self) -> None:
        """Take no more calls, and close what is open; calls under way end by their own deadline."""
        await self._health.close()
        self._bulkhead.close()
        self._transport.close()

    def _kept(self, tenant: str, account: DuoAccount) -> _Kept:
        if not self._hosts.allows(account.api_host):
            msg = "The Duo account's host is not an allowed one"
            raise DuoRefusedError(msg)
        key = (tenant, account.client_id, account.api_host)
        kept = self._clients.get(key)
        if kept is None or kept.account != account:
            # A secret may be sealed anew for each login, and is the same for all that.
            secret = self._secret(tenant, account)
            name = (*key, hashlib.sha256(secret.encode()).digest())
            same = kept is not None and kept.name == name
            client = kept.client if kept and same else self._new_client(account, secret)
            kept = self._clients[key] = _Kept(account, name, client)
            if len(self._clients) > MAX_CLIENTS:
                self._clients.popitem(last=False)
        self._clients.move_to_end(key)
        return kept

    def _secret(self, tenant: str, account: DuoAccount) -> str:
        secret = _unsealed(self._sealer, tenant, account)
        if secret is None:
            msg = "The Duo account's secret can't be unsealed"
            raise DuoRefusedError(msg)
        return secret

    def _new_client(self, account: DuoAccount, secret: str) -> Client:
        return _given(
            _settled(
                lambda: self._client_class(
                    account.client_id,
                    secret,
                    account.api_host,
                    self._redirect_uri,
                    duo_certs=str(self._ca_file),
                )
            )
        )

    async def _called(self, kept: _Kept, work: Callable[[], _T]) -> _T:
        """Return what the SDK returns, from a thread of the account's."""
        return _given(await self._bulkhead.call(kept.name, lambda: _settled(work)))


def _need(username: str, nonce: str) -> None:
    # The SDK takes an empty nonce for none, and checks none.
    if not username or not nonce:
        msg = "A prompt needs a user name and a nonce"
        raise DuoRefusedError(msg)


def _unsealed(sealer: Sealer, tenant: str, account: DuoAccount) -> str | None:
    try:
        return sealer.unseal(account.client_secret, tenant=tenant, purpose=account.client_id)
    except SettingsError:
        return None


def _settled(work: Callable[[], _T]) -> _T | DuoError:
    try:
        return work()
    except Exception as exc:  # noqa: BLE001  # the SDK lets any exception out, with secrets in its text
        return carried_fault(exc)


def _given(found: _T | DuoError) -> _T:
    """Return what was found; an error is raised here, where no other error would be its context."""
    if isinstance(found, DuoError):
        raise found
    return found
