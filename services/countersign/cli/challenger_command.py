"""`countersign challenger`: the service."""

from __future__ import annotations

import asyncio

from countersign.challenger.app import serve
from countersign.logs import set_up_logs
from countersign.settings import load_settings


def challenger() -> int:
    """Take browsers through Duo, and sweep, until SIGTERM or Ctrl-C.

    Serves the challenge URLs that deciders hand out. Each browser gets a Duo prompt of its own, comes back
    to `/callback`, and goes on to the application with a one-time code. A denial is published at once;
    what nobody comes back for expires, and is published too. Run any number of them, in any place that
    browsers can reach.

    Listens on COUNTERSIGN_CHALLENGER_HOST:COUNTERSIGN_CHALLENGER_PORT, over TLS where it is given a
    certificate, else for a proxy that speaks TLS. COUNTERSIGN_PUBLIC_URL says where browsers reach it;
    deciders are given the same. The Duo application needs no entry for it: Duo takes the redirect address
    from the request. `/health`, `/ready` and `/metrics` are on COUNTERSIGN_PROBE_PORT; give each service
    on one machine a port of its own.

    Needs COUNTERSIGN_IDENTIFIER_KEY and COUNTERSIGN_SETTINGS_KEY; `countersign config` lists the rest.
    """
    settings = load_settings()
    set_up_logs(settings.log_level, settings.log_format)
    # Before anything is opened: without them nothing works.
    settings.identifier_key_bytes()
    settings.settings_keys()
    return asyncio.run(serve(settings))
