"""The headers of every page: no caching, no framing, no scripts, no referrer (OWASP Secure Headers)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Message, Receive, Scope, Send

_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none';"
    " frame-ancestors 'none'; form-action {forms}"
)
_NOTHING: Final = (
    "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), fullscreen=(),"
    " geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(),"
    " picture-in-picture=(), publickey-credentials-get=(), screen-wake-lock=(), usb=(),"
    " xr-spatial-tracking=()"
)
"""What a page might ask the browser for, and ours never do (W3C Permissions Policy)."""
_YEAR: Final = 365 * 24 * 3600


def safe_headers(*, secure: bool, forms: str = "'self'") -> list[tuple[bytes, bytes]]:
    """Return the headers.

    Args:
        secure: browsers come over TLS, and are to stay with it (RFC 6797).
        forms: where forms may be sent, as in Content-Security-Policy's `form-action`.
    """
    headers = [
        ("content-security-policy", _POLICY.format(forms=forms)),
        ("x-content-type-options", "nosniff"),
        # Addresses hold challenges and codes.
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", _NOTHING),
        ("x-robots-tag", "noindex"),
    ]
    if secure:
        headers.append(("strict-transport-security", f"max-age={_YEAR}"))
    return [(name.encode(), value.encode()) for name, value in headers]


def with_headers(app: ASGIApp, headers: list[tuple[bytes, bytes]]) -> ASGIApp:
    """Return the application, its every response with these headers, errors and all."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(pair for pair in headers if pair[0] not in own),
                ]
            await send(message)

        await app(scope, receive, sending)

    return wrapped
