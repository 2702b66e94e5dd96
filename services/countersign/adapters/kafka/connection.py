"""How Kafka is reached: plain values, and the arguments that aiokafka's clients share.

Needs nothing but aiokafka, so that relying parties can use it with the client alone.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, Literal, TypeAlias

from countersign.core.errors import Problem, SettingsError

Security: TypeAlias = Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]
SaslMechanism: TypeAlias = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaConnection:
    """How to reach a Kafka cluster; opens nothing.

    Attributes:
        bootstrap: host:port, with commas between several.
        security: whether TLS, and whether a login.
        ca_file: CA certificates (PEM) that the brokers' must descend from; None: the system's.
        cert_file: client certificate (PEM).
        key_file: its private key (PEM).
        sasl_mechanism: how to log in; needed where `security` starts with sasl.
        sasl_username: user name.
        sasl_password: password; never in a repr.
    """

    bootstrap: str = "localhost:9092"
    security: Security = "plaintext"
    ca_file: str | PathLike[str] | None = None
    cert_file: str | PathLike[str] | None = None
    key_file: str | PathLike[str] | None = None
    sasl_mechanism: SaslMechanism | None = None
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments for aiokafka's consumer, producer and admin client.

        Raises:
            SettingsError: a certificate or key file can't be used.
        """
        arguments: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self.security.upper(),
        }
        if self.security.endswith("ssl"):
            arguments["ssl_context"] = self._ssl_context()
        if self.security.startswith("sasl"):
            arguments["sasl_mechanism"] = self.sasl_mechanism
            arguments["sasl_plain_username"] = self.sasl_username
            arguments["sasl_plain_password"] = self.sasl_password
        return arguments

    def _ssl_context(self) -> ssl.SSLContext:
        try:
            # Checks the chain and the host's name, as is the default.
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.cert_file is not None:
                context.load_cert_chain(self.cert_file, self.key_file)
        except OSError as error:  # ssl.SSLError is one
            problem = Problem(
                key="ca_file, cert_file, key_file",
                problem=f"can't be used for TLS ({error.strerror or type(error).__name__})",
                remedy="Give files in PEM format that this process can read, the key without a password",
            )
            raise SettingsError(source="the connection to Kafka", problems=[problem]) from error
        return context
