"""The Action on Auth0's page about Duo: as printed it doesn't parse, and people paste it all the same.

Recognised by what is wrong with it, corrected with what it says as far as that can be read.
"""

from __future__ import annotations

import json
import re
from typing import Final, NamedTuple

_DOTTED: Final = re.compile(r"\bproviderOptions\.(ikey|skey|host)\s*:")
_CLIENTS: Final = re.compile(r"\bCLIENTS_WITH_MFA\s*=\s*\[([^\]]{0,20000})\]")
_COMMENT: Final = re.compile(r"(?<!:)//[^\n]*")
"""To the line's end; what follows a colon is a URL."""
_STRING: Final = re.compile(r"'([^'\\\n]*)'|\"([^\"\\\n]*)\"")
_USERNAME: Final = re.compile(
    r"^[ \t]{0,200}(?:providerOptions\.)?username\s*:\s*((?:event\.)?user\.[\w.]+)", re.MULTILINE
)
_OPTED_IN: Final = re.compile(
    r"^[ \t]{0,200}if\s*\([^\n]{0,200}?\buser_metadata\b[^\n]{0,200}?\buse_mfa\b", re.MULTILINE
)
_REMEMBERS: Final = re.compile(r"\ballowRememberBrowser\s*:\s*true\b")
_SECRETS: Final = {"host": "DUO_HOST", "ikey": "DUO_IKEY", "skey": "DUO_SKEY"}


class Correction(NamedTuple):
    """The page's Action, put right.

    Attributes:
        at: where in the text its first wrong key is.
        text: the whole Action as it should be.
    """

    at: int
    text: str


def correct_duo_template(source: str) -> Correction | None:
    """Return the corrected text, if a source that doesn't parse is the page's Action."""
    dotted = _DOTTED.search(source)
    if dotted is None:
        return None
    said = _COMMENT.sub("", source)
    options = [f"        {key}: event.secrets.{_secret(said, key)}," for key in _SECRETS]
    if (username := _USERNAME.search(said)) is not None:
        options.append(f"        username: event.{username[1].removeprefix('event.')},")
    remembers = "true" if _REMEMBERS.search(said) else "false"
    conditions = []
    lines = ["exports.onExecutePostLogin = async (event, api) => {"]
    if (clients := _CLIENTS.search(said)) is not None:
        listed = [single or double for single, double in _STRING.findall(clients[1])]
        lines.append(f"  const CLIENTS_WITH_MFA = {json.dumps(listed)};")
        conditions.append("CLIENTS_WITH_MFA.includes(event.client.client_id)")
    if _OPTED_IN.search(said):
        conditions.append("event.user.user_metadata?.use_mfa")
    lines += [
        f"  if ({' && '.join(conditions) or 'true'}) {{",
        "    api.multifactor.enable('duo', {",
        "      providerOptions: {",
        *options,
        "      },",
        f"      allowRememberBrowser: {remembers},",
        "    });",
        "  }",
        "};",
        "",
    ]
    return Correction(dotted.start(), "\n".join(lines))


def _secret(source: str, key: str) -> str:
    """Return the secret that the text reads for a key; the page's own name where it reads none."""
    named = re.search(
        rf"\bproviderOptions\.{key}\s*:\s*(?:configuration|event\.secrets)\.([A-Za-z_]\w{{0,127}})",
        source,
    )
    return named[1] if named else _SECRETS[key]
