"""Takes what Kafka's adapters need from the process's settings."""

from __future__ import annotations

from countersign.adapters.kafka.connection import KafkaConnection
from countersign.adapters.kafka.topics import TopicNames
from countersign.settings import Settings


def kafka_connection(settings: Settings) -> KafkaConnection:
    """Return how the settings reach Kafka."""
    password = settings.kafka_sasl_password
    return KafkaConnection(
        bootstrap=settings.kafka_bootstrap,
        security=settings.kafka_security,
        ca_file=settings.kafka_ca_file,
        cert_file=settings.kafka_cert_file,
        key_file=settings.kafka_key_file,
        sasl_mechanism=settings.kafka_sasl_mechanism,
        sasl_username=settings.kafka_sasl_username,
        sasl_password=password.get_secret_value() if password is not None else None,
    )


def topic_names(settings: Settings) -> TopicNames:
    """Return the topics' names in the settings."""
    return TopicNames(
        login_events=settings.login_events_topic,
        mfa_results=settings.mfa_results_topic,
        dead_letters=settings.dead_letters_topic,
        tenant_settings=settings.tenant_settings_topic,
    )
