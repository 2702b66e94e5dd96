"""`countersign decider`: the service."""

from __future__ import annotations

import asyncio

from countersign.decider.app import serve
from countersign.logs import set_up_logs
from countersign.settings import load_settings


def decider() -> int:
    """Decide logins, until SIGTERM or Ctrl-C.

    Takes login events from one topic, decides each by its tenant's settings, and publishes the results
    on another. Run as many as the topic has partitions; they share the work.

    While Kafka, Redis or a topic is away it waits, takes nothing, and says so in its log and under
    `/ready`. On SIGTERM it finishes the batch in hand, commits it and leaves its group. It answers on
    COUNTERSIGN_PROBE_HOST:COUNTERSIGN_PROBE_PORT, `/health` while it lives, `/ready` while it takes
    events, `/metrics` for Prometheus.

    Tenants' Actions run in a process of their own beside it, without network, files or credentials.

    Needs COUNTERSIGN_IDENTIFIER_KEY, the same for all deciders, and COUNTERSIGN_SETTINGS_KEY, which opens
    the secrets of tenants' Actions; `countersign config` lists the rest.
    """
    settings = load_settings()
    set_up_logs(settings.log_level, settings.log_format)
    # Before anything is opened: without them nothing works.
    settings.identifier_key_bytes()
    settings.settings_keys()
    return asyncio.run(serve(settings))
