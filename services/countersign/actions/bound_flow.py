"""The flow of a tenant's settings with its code, ready to be run; put together once and kept while it stands.

Law: a flow runs whole or not at all. Where a version isn't there, or a secret can't be unsealed, every login
that the flow is for is denied.
"""

from __future__ import annotations

from typing import NamedTuple

from countersign.actions.flow import ActionCode, Credentials, FlowCode
from countersign.core.action import ActionKind, ActionRef, ActionRules, secret_purpose
from countersign.core.errors import SettingsError
from countersign.core.tenant import DuoAccount, TenantSettings
from countersign.ports import PublishedActions, Secrets

_MOST_ACCOUNTS = 32


class MissingError(Exception):
    """An Action of a flow can't be run; the text says why.

    Args:
        position: which Action.
        message: for the log.
    """

    def __init__(self, position: int, message: str) -> None:
        super().__init__(message)
        self.position = position


class BoundFlow(NamedTuple):
    """A tenant's flow and its code.

    Attributes:
        tenant: whose it is.
        refs: the Actions, in order.
        rules: how long they may run.
        code: the JavaScript ones; None where there are none.
        python: position and name of each Python Action.
        rule_names: the Rules, for `api.rules.wasExecuted`.
        prefixes: what an entry of the trace begins with, by position.
        uses_cache: whether it may ask for the tenant's cache.
        accounts: Duo accounts that its Actions gave, sealed.
    """

    tenant: str
    refs: tuple[ActionRef, ...]
    rules: ActionRules
    code: FlowCode | None
    python: tuple[tuple[int, str], ...]
    rule_names: tuple[str, ...]
    prefixes: tuple[str, ...]
    uses_cache: bool
    accounts: dict[Credentials, DuoAccount]


class BoundFlows:
    """The tenants' flows that were put together.

    Args:
        published: the versions of Actions.
        secrets: unseals their secrets, and seals Duo accounts that they give.
    """

    def __init__(self, published: PublishedActions, secrets: Secrets) -> None:
        self._published = published
        self._secrets = secrets
        self._bound: dict[str, tuple[TenantSettings, BoundFlow]] = {}

    def get(self, settings: TenantSettings) -> BoundFlow:
        """Return the flow that these settings have in force.

        Raises:
            MissingError: one of its Actions can't be run.
        """
        known = self._bound.get(settings.tenant)
        if known is not None:
            if known[0] is settings:
                return known[1]
            if known[1].refs == settings.flow and known[1].rules == settings.actions:
                self._bound[settings.tenant] = (settings, known[1])
                return known[1]
            del self._bound[settings.tenant]
        bound = self._put_together(settings)
        self._bound[settings.tenant] = (settings, bound)
        return bound

    def account(self, bound: BoundFlow, given: Credentials) -> DuoAccount:
        """Return an Action's own Duo account with its secret sealed."""
        account = bound.accounts.get(given)
        if account is None:
            if len(bound.accounts) >= _MOST_ACCOUNTS:
                bound.accounts.clear()
            sealed = self._secrets.seal(given.skey, tenant=bound.tenant, purpose=given.ikey)
            account = DuoAccount(client_id=given.ikey, client_secret=sealed, api_host=given.host)
            bound.accounts[given] = account
        return account

    def _put_together(self, settings: TenantSettings) -> BoundFlow:
        refs, rules = settings.flow, settings.actions
        python = tuple(
            (position, ref.name)
            for position, ref in enumerate(refs)
            if ref.kind is ActionKind.PYTHON
        )
        codes = tuple(
            self._code(settings.tenant, position, ref)
            for position, ref in enumerate(refs)
            if ref.kind is not ActionKind.PYTHON
        )
        code = FlowCode(
            actions=codes,
            time_limit=rules.time_limit.total_seconds(),
            flow_time_limit=rules.flow_time_limit.total_seconds(),
        )
        return BoundFlow(
            tenant=settings.tenant,
            refs=refs,
            rules=rules,
            code=code if codes else None,
            python=python,
            rule_names=tuple(ref.name for ref in refs if ref.kind is ActionKind.RULE),
            prefixes=tuple(f"{ref.kind.value}:{ref.name}@{ref.version}:" for ref in refs),
            uses_cache=bool(python) or any(map(_mentions_cache, codes)),
            accounts={},
        )

    def _code(self, tenant: str, position: int, ref: ActionRef) -> ActionCode:
        version = self._published.action(tenant, ref.name, ref.version)
        if version is None or version.kind is not ref.kind:
            message = f"Version {ref.version} of the {ref.kind.value} {ref.name} is not published"
            raise MissingError(position, message)
        try:
            secrets = {
                name: self._secrets.unseal(
                    sealed, tenant=tenant, purpose=secret_purpose(ref.name, name)
                )
                for name, sealed in version.secrets.items()
            }
        except SettingsError as error:
            message = f"A secret of {ref.name} can't be unsealed: {error.problems[0].problem}"
            raise MissingError(position, message) from error
        return ActionCode(
            name=ref.name,
            version=ref.version,
            kind=ref.kind,
            source=version.source,
            modules=dict(version.modules),
            secrets=secrets,
        )


def _mentions_cache(code: ActionCode) -> bool:
    return any("cache" in text for text in (code.source, *code.modules.values()))
