"""`countersign simulator`: a stand-in for Duo."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from countersign.cli.app import FAILED
from countersign.cli.output import answers, notes
from countersign.logs import set_up_logs
from countersign.simulator.account import api_host, given_account, made_up_account
from countersign.simulator.serve import serve

_Port = Annotated[int, Parameter(validator=Number(gte=1, lte=65_535))]
_DIRECTORY: Final = Path("duo-simulator")


def simulator(
    *,
    host: str = "127.0.0.1",
    port: _Port = 8444,
    http_port: _Port = 8445,
    client_id: str | None = None,
    client_secret_file: Path | None = None,
    directory: Path = _DIRECTORY,
) -> int:
    """Stand in for Duo on this machine, until SIGTERM or Ctrl-C; never for real logins.

    It speaks the protocol of Duo's Universal Prompt, so that Duo's own SDKs work with it, and shows a
    prompt that anybody can approve on a pretended phone. So whoever reaches it gets through every MFA that
    trusts it: leave it on the loopback interface.

    Without a client id and a secret it makes some up, keeps them in the directory, and writes a
    tenant's settings file beside them, ready for `countersign settings apply`. It makes certificates
    there, too. A browser asks whether to trust them; import ca.pem, or go on.

    By hand: /control scripts users and injects faults, and shows what happened.

    For tests: `PUT /scripts/USERNAME` with {"behaviour": "approve"} answers for that user without a page,
    `POST /faults` with {"fault": "bad_gateway", "endpoint": "token"} makes Duo fail, `DELETE` undoes
    either, `GET /ledger` tells what happened, and `GET /health` that it lives. docs/simulator.md lists
    every behaviour and fault.

    Args:
        host: The address to listen on; another than the loopback one only within a container.
        port: The port for TLS, which Duo's API host localhost:PORT names; with 443 that is localhost.
        http_port: The port for the same without TLS: health, scripts, faults, the ledger.
        client_id: Duo's Client ID, 20 characters.
        client_secret_file: A file that holds Duo's Client secret, 40 characters.
        directory: Where certificates and what is made up are kept.
    """
    if (client_id is None) != (client_secret_file is None):
        notes().print(
            "Error: give both --client-id and --client-secret-file, or neither to have them made up."
        )
        return FAILED
    if client_id is None or client_secret_file is None:
        account = made_up_account(directory, port=port)
        tenant = f"countersign settings apply {directory / 'tenant.toml'}"
    else:
        account = given_account(client_id, client_secret_file)
        tenant = f'api_host = "{api_host(port)}" in the tenant\'s [duo]'

    def announce() -> None:
        answers().print(
            f"Countersign's Duo simulator answers at https://{api_host(port)}\n"
            "\nSet for the services:\n"
            f"  COUNTERSIGN_DUO_HOSTS={api_host(port)}\n"
            f"  COUNTERSIGN_DUO_CA_FILE={directory.absolute() / 'ca.pem'}\n"
            f"\nFor a tenant (Duo client id {account.client_id}):\n  {tenant}"
        )

    set_up_logs("info", "console")
    return asyncio.run(
        serve(
            {account.client_id: account.client_secret},
            host=host,
            port=port,
            http_port=http_port,
            directory=directory,
            announce=announce,
        )
    )
