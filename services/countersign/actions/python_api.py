"""The `api` of a Python Action: Auth0's members in snake_case, noted down on the flow's report.

A member that can't be supported, or that is called with what it can't take, raises at once: the Action fails,
and the login is denied. Nothing is passed over in silence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NoReturn
from urllib.parse import urlencode, urlsplit, urlunsplit

from countersign.actions.flow import Credentials, FlowLogin, FlowReport
from countersign.actions.python_cache import Cache
from countersign.actions.python_event import Event, View
from countersign.actions.python_factors import Authentication
from countersign.actions.python_notes import (
    Group,
    InvalidCallError,
    Notes,
    UnsupportedError,
    camel,
    need_text,
)
from countersign.actions.vocabulary import CREDENTIAL_LENGTHS, INTERACTIVE, MAX_URL
from countersign.core.effect import Provider
from countersign.core.result import AccessDenied

MAX_REASON: Final = 1_024
"""Characters of a denial's code and reason."""


class Multifactor(Group["Api"]):
    """`api.multifactor`."""

    _name = "multifactor"

    def enable(
        self,
        provider: str,
        *,
        allow_remember_browser: bool = False,
        provider_options: Mapping[str, str | None] | None = None,
    ) -> Api:
        """Ask for MFA; of a flow's calls the last one counts.

        Args:
            provider: `duo`, `guardian`, `google-authenticator`, `any`, or `none` to switch the policy's off.
            allow_remember_browser: whether a remembered browser counts, and may come of this.
            provider_options: for `duo` an account of its own, `ikey`, `skey` and `host`, or none of them for
                the tenant's; `username`, where it isn't the tenant's rule that names the user to Duo.
        """
        call = "multifactor.enable"
        if not isinstance(provider, str) or provider not in set(Provider):
            raise InvalidCallError(call, f"the provider is none of {', '.join(Provider)}")
        if not isinstance(allow_remember_browser, bool):
            raise InvalidCallError(call, "allow_remember_browser is neither True nor False")
        options = {} if provider_options is None else provider_options
        if not isinstance(options, Mapping) or set(options) - {"ikey", "skey", "host", "username"}:
            raise InvalidCallError(
                call, "provider_options takes ikey, skey, host and username, and nothing else"
            )
        if options and provider != Provider.DUO:
            raise InvalidCallError(call, "provider_options are for the provider duo alone")
        self._notes.say(
            f"enable-{provider}",
            provider=str(provider),
            allow_remember_browser=allow_remember_browser,
            credentials=_credentials(call, options),
            username=_username(call, options),
        )
        return self._api


class Access(Group["Api"]):
    """`api.access`."""

    _name = "access"

    def deny(self, *words: str | Exception) -> Api:
        """Deny the login; later Actions don't run.

        Args:
            *words: the reason, for people; or a code for programs, and the reason.
        """
        call = "access.deny"
        texts = [str(word) if isinstance(word, Exception) else word for word in words]
        for text in texts:
            need_text(call, "the reason", text, MAX_REASON)
        match texts:
            case [reason]:
                said = AccessDenied(reason=reason)
            case [code, reason]:
                said = AccessDenied(reason=reason, code=code)
            case _:
                raise InvalidCallError(call, "takes a reason, or a code and a reason")
        self._notes.say("deny", access_denied=said)
        return self._api


class User(Group["Api"]):
    """`api.user`."""

    _name = "user"

    def set_user_metadata(self, key: str, value: object) -> Api:
        """Have the relying party told of a change of the user's metadata; None deletes the key."""
        return self._set("user.setUserMetadata", key, value)

    def set_app_metadata(self, key: str, value: object) -> Api:
        """Have the relying party told of a change of the app's metadata; None deletes the key."""
        return self._set("user.setAppMetadata", key, value)

    def _set(self, call: str, key: str, value: object) -> Api:
        need_text(call, "the key", key)
        self._notes.record(call, key, value, keyed=True)
        return self._api


class Redirect(Group["Api"]):
    """`api.redirect`."""

    _name = "redirect"

    def __init__(self, api: Api, notes: Notes, protocol: object) -> None:
        super().__init__(api, notes)
        self._protocol = protocol

    def can_redirect(self) -> bool:
        """Say whether a browser takes part in the login."""
        return self._protocol in INTERACTIVE

    def send_user_to(self, url: str, *, query: Mapping[str, str] | None = None) -> Api:
        """Send the browser elsewhere; the flow ends, and the login is denied as `redirected`.

        Args:
            url: an absolute http or https URL.
            query: put into the URL, in place of parameters of the same names.
        """
        call = "redirect.sendUserTo"
        need_text(call, "the URL", url, MAX_URL)
        try:
            parts = urlsplit(url)
            whole = parts.hostname is not None and parts.scheme in {"http", "https"}
            whole = whole and "@" not in parts.netloc
        except ValueError:
            whole = False
        if not whole or not url.isprintable() or " " in url or "\\" in url:
            raise InvalidCallError(call, "takes an absolute http or https URL")
        if query:
            if not all(isinstance(each, str) for pair in dict(query).items() for each in pair):
                raise InvalidCallError(call, "the query's names and values are texts")
            kept = [pair for pair in parts.query.split("&") if pair.partition("=")[0] not in query]
            added = "&".join(part for part in (*kept, urlencode(dict(query))) if part)
            url = urlunsplit(parts._replace(query=added))
            need_text(call, "the URL", url, MAX_URL)
        self._notes.say("redirect", redirect_url=url)
        return self._api

    def encode_token(self, *_: object, **__: object) -> NoReturn:
        """Refuse: there is no continuation that could read the token."""
        self._no_continuation("redirect.encodeToken")

    def validate_token(self, *_: object, **__: object) -> NoReturn:
        """Refuse: there is no continuation that could read the token."""
        self._no_continuation("redirect.validateToken")

    @staticmethod
    def _no_continuation(member: str) -> NoReturn:
        raise UnsupportedError(member, "a login does not go on after a redirect")


class Rules(Group["Api"]):
    """`api.rules`."""

    _name = "rules"

    def __init__(self, api: Api, notes: Notes, executed: Collection[str]) -> None:
        super().__init__(api, notes)
        self._executed = executed

    def was_executed(self, rule: str) -> bool:
        """Say whether a Rule of this name ran before."""
        return rule in self._executed


class Claims(Group["Api"]):
    """`api.access_token` and `api.id_token`: claims for the relying party to put into its own tokens."""

    def __init__(self, api: Api, notes: Notes, name: str) -> None:
        super().__init__(api, notes)
        self._name = name

    def set_custom_claim(self, name: str, value: object) -> Api:
        """Have the relying party told of a claim."""
        call = f"{self._name}.setCustomClaim"
        need_text(call, "the claim's name", name)
        self._notes.record(call, name, value, keyed=True)
        return self._api


class Others(Group["Api"]):
    """A group whose members are recorded, or refused, by the table of members alone."""

    def __init__(self, api: Api, notes: Notes, name: str) -> None:
        super().__init__(api, notes)
        self._name = name


class Api:
    """What a Python Action asks for through.

    Args:
        login: the login.
        event: what the Action reads of it.
        report: what the flow did before this Action.
        rules: names of the Rules that ran before.

    Attributes:
        notes: what was called.
    """

    def __init__(
        self, login: FlowLogin, event: Event, report: FlowReport, rules: Collection[str]
    ) -> None:
        notes = self._notes = Notes(report)
        transaction = event.transaction
        protocol = transaction.protocol if isinstance(transaction, View) else None
        self.multifactor = Multifactor(self, notes)
        self.access = Access(self, notes)
        self.user = User(self, notes)
        self.authentication = Authentication(self, notes)
        self.redirect = Redirect(self, notes, protocol)
        self.cache = Cache(self, notes, login)
        self.rules = Rules(self, notes, rules)
        self.access_token = Claims(self, notes, "accessToken")
        self.id_token = Claims(self, notes, "idToken")
        self.transaction = Others(self, notes, "transaction")
        self.session = Others(self, notes, "session")
        self.refresh_token = Others(self, notes, "refreshToken")
        self.saml_response = Others(self, notes, "samlResponse")

    def __getattr__(self, name: str) -> NoReturn:
        """Refuse a member that is not there."""
        if name.startswith("__"):  # Python's own protocols ask for these
            raise AttributeError(name)
        raise UnsupportedError(camel(name))


def noted(api: Api) -> tuple[FlowReport, tuple[str, ...]]:
    """Return the report with what an Action called, and the words for it in the order of the calls."""
    notes = api._notes  # noqa: SLF001  # kept from the Action, not from this file
    return notes.report, tuple(notes.words)


def _credentials(call: str, options: Mapping[str, str | None]) -> Credentials | None:
    """Return the account of its own; half of one would be mixed with the tenant's."""
    given = {name: options.get(name) for name in ("ikey", "skey", "host") if name in options}
    if not given:
        return None
    parts = {name: given.get(name) for name in ("ikey", "skey", "host")}
    missing = [name for name, text in parts.items() if not isinstance(text, str) or not text]
    if missing:
        raise InvalidCallError(call, f"provider_options lack {', '.join(missing)}")
    for name, text in parts.items():
        need_text(call, name, text)
        if name in CREDENTIAL_LENGTHS and len(text or "") != CREDENTIAL_LENGTHS[name]:
            raise InvalidCallError(
                call, f"{name} has not the {CREDENTIAL_LENGTHS[name]} characters of Duo's"
            )
    return Credentials(**{name: text for name, text in parts.items() if isinstance(text, str)})


def _username(call: str, options: Mapping[str, str | None]) -> str | None:
    """Return the user's name at Duo; an attribute that the user lacks is a name that is missing."""
    if "username" not in options:
        return None
    name = options["username"]
    if name is not None:
        need_text(call, "provider_options.username", name, empty=True)
    return name or ""
