"""A login event with every field that Auth0 documents of the post-login trigger's `event`."""

from __future__ import annotations

from typing import Any, Final

FULL_EVENT: Final[dict[str, Any]] = {
    "user": {
        "user_id": "auth0|5f7c8ec7c33c6c004bbafe82",
        "email": "alice@example.com",
        "email_verified": True,
        "username": "alice",
        "name": "Alice Example",
        "nickname": "ally",
        "given_name": "Alice",
        "family_name": "Example",
        "phone_number": "+41000000000",
        "phone_verified": True,
        "picture": "https://pictures.example.com/alice.png",
        "created_at": "2025-05-04T10:11:12.000Z",
        "updated_at": "2026-03-01T10:11:12.000Z",
        "last_password_reset": "2026-01-01T10:11:12.000Z",
        "app_metadata": {"needs_mfa": True},
        "user_metadata": {"use_mfa": True},
        "identities": [
            {
                "connection": "Users",
                "isSocial": False,
                "profileData": {},
                "provider": "auth0",
                "userId": "5f7c8ec7c33c6c004bbafe82",
                "user_id": "5f7c8ec7c33c6c004bbafe82",
            }
        ],
        "multifactor": ["guardian"],
        "enrolledFactors": [{"type": "otp"}],
    },
    "client": {"client_id": "payroll", "name": "Payroll", "metadata": {"assurance": "high"}},
    "connection": {
        "id": "con_Ab12Cd34Ef56",
        "name": "Users",
        "strategy": "auth0",
        "metadata": {"region": "eu"},
    },
    "organization": {
        "id": "org_Ab12Cd34Ef56",
        "name": "example",
        "display_name": "Example",
        "metadata": {"mfa_required": "yes"},
    },
    "request": {
        "ip": "203.0.113.7",
        "asn": "64496",
        "hostname": "login.example.com",
        "language": "en",
        "method": "POST",
        "user_agent": "Mozilla/5.0",
        "query": {"client_id": "payroll"},
        "body": {"username": "alice"},
        "geoip": {
            "cityName": "Zürich",
            "continentCode": "EU",
            "countryCode": "CH",
            "countryCode3": "CHE",
            "countryName": "Switzerland",
            "latitude": 47.36,
            "longitude": 8.55,
            "subdivisionCode": "ZH",
            "subdivisionName": "Zurich",
            "timeZone": "Europe/Zurich",
        },
    },
    "authentication": {
        "methods": [{"name": "pwd", "timestamp": "2026-03-02T08:59:58.000Z", "type": "password"}],
        "riskAssessment": {
            "confidence": "low",
            "version": "1",
            "assessments": {
                "NewDevice": {
                    "code": "no_match",
                    "confidence": "low",
                    "details": {"device": "new"},
                },
                "ImpossibleTravel": {
                    "code": "minimal_travel_from_last_login",
                    "confidence": "high",
                },
                "UntrustedIP": {"code": "not_found_on_deny_list", "confidence": "high"},
                "PhoneNumber": {"code": "phone_number_not_provided", "confidence": "neutral"},
            },
        },
    },
    "transaction": {
        "id": "transaction-1",
        "acr_values": ["urn:example:acr"],
        "protocol": "oidc-basic-profile",
        "prompt": ["login"],
        "requested_scopes": ["openid", "transfer:money"],
        "response_mode": "query",
        "response_type": ["code"],
        "redirect_uri": "https://payroll.example.com/callback",
        "state": "a-state-of-the-application",
        "locale": "de",
        "ui_locales": ["de", "en"],
        "login_hint": "alice",
        "metadata": {"channel": "web"},
    },
    "authorization": {"roles": ["reader", "finance"]},
    "stats": {"logins_count": 7},
    "tenant": {"id": "acme"},
    "session": {
        "id": "session-1",
        "created_at": "2026-03-02T08:59:50.000Z",
        "authenticated_at": "2026-03-02T08:59:58.000Z",
        "device": {"initial_ip": "203.0.113.7", "last_ip": "203.0.113.7"},
    },
    "refresh_token": {"id": "refresh-1", "created_at": "2026-03-02T08:59:50.000Z"},
    "resource_server": {"identifier": "https://api.example.com"},
    "security_context": {
        "ja3": "e7d705a3286e19ea42f587b344ee6865",
        "ja4": "t13d1516h2_8daaf6152771",
    },
}


def paths(value: object, at: str = "event") -> list[str]:
    """Return each field of a value by its path, as the documents write it; `[]` is an entry of a list."""
    match value:
        case dict():
            return [
                path
                for name, inner in value.items()
                for path in (f"{at}.{name}", *paths(inner, f"{at}.{name}"))
            ]
        case [dict() as first, *_]:
            return paths(first, f"{at}[]")
        case _:
            return []
