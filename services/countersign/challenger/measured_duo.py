"""Duo, with its calls timed and their failures counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import structlog

from countersign.challenger.metrics import Metrics
from countersign.core.duo_answer import DuoAnswer
from countersign.core.errors import DuoError
from countersign.core.tenant import DuoAccount
from countersign.ports import Duo

log = structlog.get_logger(__name__)


class MeasuredDuo:
    """`ports.Duo` that counts.

    Args:
        duo: the real one.
        metrics: count.
    """

    def __init__(self, duo: Duo, metrics: Metrics) -> None:
        self._duo = duo
        self._metrics = metrics

    async def check(self, tenant: str, account: DuoAccount) -> None:
        """See `ports.Duo.check`."""
        with self._measured("check", tenant):
            await self._duo.check(tenant, account)

    async def prompt_url(
        self, tenant: str, account: DuoAccount, *, username: str, state: str, nonce: str
    ) -> str:
        """See `ports.Duo.prompt_url`."""
        with self._measured("prompt", tenant):
            return await self._duo.prompt_url(
                tenant, account, username=username, state=state, nonce=nonce
            )

    async def exchange(
        self, tenant: str, account: DuoAccount, *, code: str, username: str, nonce: str
    ) -> DuoAnswer:
        """See `ports.Duo.exchange`."""
        with self._measured("exchange", tenant):
            return await self._duo.exchange(
                tenant, account, code=code, username=username, nonce=nonce
            )

    @contextmanager
    def _measured(self, call: str, tenant: str) -> Iterator[None]:
        started = perf_counter()
        try:
            yield
        except DuoError as error:
            kind = type(error).__name__
            self._metrics.duo_errors.labels(call, kind).inc()
            # The text is our own, and says what an operator has to look at.
            log.warning("duo_error", call=call, tenant=tenant, error=kind, reason=str(error))
            raise
        finally:
            self._metrics.duo_seconds.labels(call).observe(perf_counter() - started)
