"""For relying parties: publish a login, await the answer, bring the browser back.

Needs aiokafka and msgspec, and nothing that the services need.
"""

from countersign.adapters.kafka.connection import KafkaConnection
from countersign.adapters.kafka.topic_layout import TopicNames
from countersign.client.answers import LoginDecision, LoginOutcome, may_follow
from countersign.client.client import ANSWER_TIMEOUT, CountersignClient
from countersign.core.errors import (
    BusUnavailableError,
    CountersignError,
    InvalidEventError,
    NoAnswerError,
    SettingsError,
)
from countersign.core.login import PostLoginEvent
from countersign.core.result import AccessDenied, Assurance, Factor, Reason, Recorded, Verdict
from countersign.wire.signed_part import Signer

__all__ = [
    "ANSWER_TIMEOUT",
    "AccessDenied",
    "Assurance",
    "BusUnavailableError",
    "CountersignClient",
    "CountersignError",
    "Factor",
    "InvalidEventError",
    "KafkaConnection",
    "LoginDecision",
    "LoginOutcome",
    "NoAnswerError",
    "PostLoginEvent",
    "Reason",
    "Recorded",
    "SettingsError",
    "Signer",
    "TopicNames",
    "Verdict",
    "may_follow",
]
