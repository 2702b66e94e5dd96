"""A challenger whose prompts an ordinary browser opens without a warning; for one machine alone.

The simulator's certificate is of its own making, and no browser knows it. So browsers, and they alone, are
shown the simulator's plain address on the loopback interface; the challenger itself speaks TLS with it.

Run as `python -m countersign.local.demo.challenger`, its settings in the environment and the two
addresses as arguments.
"""

from __future__ import annotations

import asyncio
import sys

from countersign.challenger.app import serve
from countersign.core.duo_answer import DuoAnswer
from countersign.core.tenant import DuoAccount
from countersign.logs import set_up_logs
from countersign.ports import Duo
from countersign.settings import load_settings


class ShownElsewhere:
    """`ports.Duo`, its prompts shown at another address.

    Args:
        duo: the real one.
        address: what the prompts' addresses begin with.
        shown: what browsers are shown in its place.
    """

    def __init__(self, duo: Duo, address: str, shown: str) -> None:
        self._address = address
        self._shown = shown
        self._duo = duo

    async def check(self, tenant: str, account: DuoAccount) -> None:
        """See `ports.Duo.check`."""
        await self._duo.check(tenant, account)

    async def prompt_url(
        self, tenant: str, account: DuoAccount, *, username: str, state: str, nonce: str
    ) -> str:
        """See `ports.Duo.prompt_url`."""
        url = await self._duo.prompt_url(
            tenant, account, username=username, state=state, nonce=nonce
        )
        rest = url.removeprefix(self._address)
        return url if rest == url else self._shown + rest

    async def exchange(
        self, tenant: str, account: DuoAccount, *, code: str, username: str, nonce: str
    ) -> DuoAnswer:
        """See `ports.Duo.exchange`."""
        return await self._duo.exchange(tenant, account, code=code, username=username, nonce=nonce)


def main(address: str, shown: str) -> int:
    """Run it until it is told to stop."""
    settings = load_settings()
    set_up_logs(settings.log_level, settings.log_format)
    return asyncio.run(serve(settings, shown=lambda duo: ShownElsewhere(duo, address, shown)))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
