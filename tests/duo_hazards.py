"""What Duo's SDK leaves to its caller, numbered."""

from __future__ import annotations

HAZARDS = {
    1: "no timeout, redirects followed, the environment's proxies and .netrc used, no kept connections",
    2: 'an empty file of authorities, or "DISABLE", turns the verification of TLS off',
    3: "a signed token that says deny is returned as if it were a success",
    4: "an answer that isn't JSON raises JSON's own error, and one class stands for every other fault",
    5: "the user's name has to match exactly, case and white space included",
    6: "nonces of 16 and of 1024 characters are refused, and the nonce is outside the signed request",
    7: "the code and the client's assertion travel in the query string",
    8: "the address is always https, and the issuer is the host with its port",
    9: "a prompt's address is good for five minutes",
    10: "calls block, and PyJWT warns of Duo's key at each",
    11: "a client doesn't change: one for each tenant, account and redirect URI",
    12: "the texts of its errors quote codes, assertions and tokens",
    13: "errors of decoding and of recursion escape, and others come wrapped twice",
    14: 'the status is not looked at: a 500 that says "OK" counts as healthy',
    15: "errors of TLS and of proxies are connection errors, too",
    16: "an empty nonce switches the nonce's check off",
    17: "bodies have no limit, and a slow trickle defeats a read timeout",
    18: "a nonce for a whole challenge would make a reload break the earlier tab",
}
