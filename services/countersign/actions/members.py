"""Every member that an Action or a Rule may call, and how each is treated: works, is recorded, or is refused.

The realm builds its api from this table; what isn't in it is refused by its name, never ignored.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Treatment(StrEnum):
    """What comes of a call."""

    WORKS = "works"
    """It does here what it does in Auth0."""
    RECORDED = "recorded"
    """It changes nothing here; the result hands it to the relying party."""
    UNSUPPORTED = "unsupported"
    """It fails the Action, with an error that names it and says what to do instead."""


class Member(NamedTuple):
    """A member, by the path that an Action writes.

    Attributes:
        path: from `api`, or from the global object; one that ends in `.*` stands for whatever is below it.
        treatment: what comes of a call.
        explanation: what it does here; for `unsupported` why not, and what to do instead.
    """

    path: str
    treatment: Treatment
    explanation: str


def member_of(path: str) -> Member | None:
    """Return the member that a path names, or the one that stands for whatever is below it."""
    return _BY_PATH.get(path) or _BY_PATH.get(f"{path.rpartition('.')[0]}.*")


_W, _R, _U = Treatment.WORKS, Treatment.RECORDED, Treatment.UNSUPPORTED

_DENY = "It would reject the login, which is no call to hand on. Call api.access.deny(reason)"
_NETWORK = (
    "There is no network in a login's flow. Put what the Action needs into the event, the user's or the"
    " client's metadata, or the Action's secrets"
)
_PROCESS = "There is no process to look into or to end. Put settings into the Action's secrets"
_KEY = "A private key would travel in the result. Set it where the response is signed"
_NO_CONTINUATION = (
    "A redirect ends the login here, and nothing continues it. Pass what the page needs in `query`"
)
_NO_RENDER = (
    "Nothing here shows Auth0's pages. Send the user to a page with api.redirect.sendUserTo"
)
_ROLES = "Roles and groups are kept by the identity system. Set a claim or metadata instead"
_NO_MANAGEMENT = (
    "A login's flow has no client of the Management API. In an Action call api.user.setUserMetadata"
    " or api.user.setAppMetadata"
)
_NO_LOCALES = (
    "Dates and numbers are written in one way, in UTC; the same goes for a locale or options of"
    " toLocaleString. Work with getUTCHours() and its like"
)
_NO_CRYPTO = (
    "A flow has no chance of its own. Upload a CommonJS bundle for hashes, or take what you need from the"
    " event"
)
_ISSUER = "For the relying party, which issues the tokens"
_METADATA = "For the relying party, which keeps it; the last value of a key, null deletes"

# fmt: off
MEMBERS: tuple[Member, ...] = (
    Member("api.access.deny", _W, "Denies the login; the flow stops after this Action"),
    Member("api.accessToken.addScope", _R, _ISSUER),
    Member("api.accessToken.removeScope", _R, _ISSUER),
    Member("api.accessToken.setCustomClaim", _R, _ISSUER),
    Member("api.authentication.challengeWith", _W, "Waits for a built-in factor; ends the flow"),
    Member("api.authentication.challengeWithAny", _W, "Waits for one of several factors; ends the flow"),
    Member("api.authentication.enrollWith", _W, "Waits for an enrollment; ends the flow"),
    Member("api.authentication.enrollWithAny", _W, "Waits for one of several enrollments; ends the flow"),
    Member("api.authentication.recordMethod", _R, "For the relying party, which keeps the session"),
    Member("api.authentication.setPrimaryUser", _R, "For the relying party, which issues the tokens"),
    Member("api.cache.delete", _W, "Deletes an entry of the tenant's cache"),
    Member("api.cache.get", _W, "Reads an entry of the tenant's cache"),
    Member("api.cache.set", _W, "Writes an entry of the tenant's cache"),
    Member("api.groups.*", _U, _ROLES),
    Member("api.idToken.setCustomClaim", _R, _ISSUER),
    Member("api.multifactor.enable", _W, "Says who challenges; the last call of the flow wins"),
    Member("api.prompt.*", _U, _NO_RENDER),
    Member("api.redirect.canRedirect", _W, "Says whether the protocol has a browser to send elsewhere"),
    Member("api.redirect.encodeToken", _U, _NO_CONTINUATION),
    Member("api.redirect.sendUserTo", _W, "Ends the login as denied, with the address in the result"),
    Member("api.redirect.validateToken", _U, _NO_CONTINUATION),
    Member("api.refreshToken.deleteMetadata", _R, _ISSUER),
    Member("api.refreshToken.evictMetadata", _R, _ISSUER),
    Member("api.refreshToken.revoke", _U, _DENY),
    Member("api.refreshToken.setExpiresAt", _R, _ISSUER),
    Member("api.refreshToken.setIdleExpiresAt", _R, _ISSUER),
    Member("api.refreshToken.setMetadata", _R, _ISSUER),
    Member("api.roles.*", _U, _ROLES),
    Member("api.rules.wasExecuted", _W, "Says whether a Rule of that name ran in this flow"),
    Member("api.samlResponse.setAttribute", _R, _ISSUER),
    Member("api.samlResponse.setAudience", _R, _ISSUER),
    Member("api.samlResponse.setAuthnContextClassRef", _R, _ISSUER),
    Member("api.samlResponse.setCert", _R, _ISSUER),
    Member("api.samlResponse.setCreateUpnClaim", _R, _ISSUER),
    Member("api.samlResponse.setDestination", _R, _ISSUER),
    Member("api.samlResponse.setDigestAlgorithm", _R, _ISSUER),
    Member("api.samlResponse.setEncryptionCert", _R, _ISSUER),
    Member("api.samlResponse.setEncryptionPublicKey", _R, _ISSUER),
    Member("api.samlResponse.setIncludeAttributeNameFormat", _R, _ISSUER),
    Member("api.samlResponse.setIssuer", _R, _ISSUER),
    Member("api.samlResponse.setKey", _U, _KEY),
    Member("api.samlResponse.setLifetimeInSeconds", _R, _ISSUER),
    Member("api.samlResponse.setMapIdentities", _R, _ISSUER),
    Member("api.samlResponse.setMapUnknownClaimsAsIs", _R, _ISSUER),
    Member("api.samlResponse.setNameIdentifierFormat", _R, _ISSUER),
    Member("api.samlResponse.setNameIdentifierProbes", _R, _ISSUER),
    Member("api.samlResponse.setPassthroughClaimsWithNoMapping", _R, _ISSUER),
    Member("api.samlResponse.setRecipient", _R, _ISSUER),
    Member("api.samlResponse.setRelayState", _R, _ISSUER),
    Member("api.samlResponse.setSignResponse", _R, _ISSUER),
    Member("api.samlResponse.setSignatureAlgorithm", _R, _ISSUER),
    Member("api.samlResponse.setSigningCert", _R, _ISSUER),
    Member("api.samlResponse.setTypedAttributes", _R, _ISSUER),
    Member("api.session.deleteMetadata", _R, "For the relying party, which keeps the session"),
    Member("api.session.evictMetadata", _R, "For the relying party, which keeps the session"),
    Member("api.session.revoke", _U, _DENY),
    Member("api.session.setCookieMode", _R, "For the relying party, which keeps the session"),
    Member("api.session.setExpiresAt", _R, "For the relying party, which keeps the session"),
    Member("api.session.setIdleExpiresAt", _R, "For the relying party, which keeps the session"),
    Member("api.session.setMetadata", _R, "For the relying party, which keeps the session"),
    Member("api.transaction.setMetadata", _R, "For the relying party, which keeps the transaction"),
    Member("api.transaction.setResultUrl", _U, _NO_CONTINUATION),
    Member("api.user.setAppMetadata", _R, _METADATA),
    Member("api.user.setUserMetadata", _R, _METADATA),
    Member("api.validation.*", _U, _DENY),
    # Rules
    Member("context.accessToken", _R, "As accessToken.setCustomClaim"),
    Member("context.idToken", _R, "As idToken.setCustomClaim"),
    Member("context.multifactor", _W, "As api.multifactor.enable, with remembering allowed"),
    Member("context.redirect", _W, "As api.redirect.sendUserTo"),
    Member("context.samlConfiguration", _R, "Each of its fields is handed on"),
    Member("auth0.*", _U, _NO_MANAGEMENT),
    # The global object
    Member("Deno.*", _U, _PROCESS),
    Member("Intl.*", _U, _NO_LOCALES),
    Member("WebSocket", _U, _NETWORK),
    Member("XMLHttpRequest", _U, _NETWORK),
    Member("crypto.*", _U, _NO_CRYPTO),
    Member("fetch", _U, _NETWORK),
    Member("process.*", _U, _PROCESS),
    Member("process.env", _W, "Is empty"),
    Member("process.nextTick", _W, "As queueMicrotask"),
)
# fmt: on

_BY_PATH = {member.path: member for member in MEMBERS}
