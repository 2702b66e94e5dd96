"""The root of the command line: which commands there are, and how errors become messages.

Law: a command that didn't do what it was asked for says why and what to do, on standard error, and
ends with a status other than 0: 1 for a failure, 2 for wrong usage, 130 for Ctrl-C.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Final, NamedTuple

from cyclopts import App, Group

from countersign.core.errors import CountersignError

DISTRIBUTION: Final = "countersign-mfa"
OK: Final = 0
FAILED: Final = 1

_HELP: Final = """\
Decide, for every login on a Kafka bus, whether the user must pass a Cisco Duo challenge.

A relying party publishes `login.attempted` events on one topic; the decider answers each on another:
allowed, denied, or challenged. What a tenant wants is in a settings file that you apply, and in
Actions that you deploy.

To see it work, with nothing installed or running: `countersign demo`.

A first time, with Kafka and Redis running:

```
countersign topics create                  make the four topics
countersign settings validate acme.toml    check a tenant's settings
countersign settings apply acme.toml       put them in force
countersign decider                        decide
countersign tail                           watch, in another terminal
```

Where Kafka and Redis are, and every other setting of the process, is said by environment variables:
`countersign config` lists them all, with what is in force.
"""

RUN: Final = Group("Run", sort_key=1)
SETTLE: Final = Group("Set up", sort_key=2)
LOOK: Final = Group("Look", sort_key=3)


class Command(NamedTuple):
    """A command that is imported only when it is called, so that `--help` is quick.

    Attributes:
        name: what it is called by.
        target: `module:attribute` of a function, or of an `App` of that name with commands of its own.
        help: what it does, in a line.
        group: where it stands in the list.
    """

    name: str
    target: str
    help: str
    group: Group


COMMANDS: Final = (
    Command(
        "demo",
        "countersign.cli.demo_command:demo",
        "Play logins over a real Kafka and a real Valkey, and watch.",
        RUN,
    ),
    Command(
        "decider",
        "countersign.cli.decider_command:decider",
        "Decide logins: the service.",
        RUN,
    ),
    Command(
        "challenger",
        "countersign.cli.challenger_command:challenger",
        "Take browsers through Duo: the service.",
        RUN,
    ),
    Command(
        "relying-party",
        "countersign.cli.relying_party_command:relying_party",
        "Run a sample application that users sign in to.",
        RUN,
    ),
    Command(
        "simulator",
        "countersign.cli.simulator_command:simulator",
        "Stand in for Duo, to develop and test with.",
        RUN,
    ),
    Command(
        "settings",
        "countersign.cli.settings_commands:app",
        "Apply, validate and show tenants' settings.",
        SETTLE,
    ),
    Command(
        "actions",
        "countersign.cli.actions_commands:app",
        "Deploy, list and roll back tenants' Actions.",
        SETTLE,
    ),
    Command(
        "topics",
        "countersign.cli.topics_command:app",
        "Create the topics, or tell how they stand.",
        SETTLE,
    ),
    Command(
        "send",
        "countersign.cli.send_command:send",
        "Publish login events from files.",
        LOOK,
    ),
    Command(
        "tail",
        "countersign.cli.tail_command:tail",
        "Show results as they come.",
        LOOK,
    ),
    Command(
        "explain",
        "countersign.cli.explain_command:explain",
        "Show why a login is, or would be, decided as it is.",
        LOOK,
    ),
    Command(
        "dead-letters",
        "countersign.cli.dead_letters_commands:app",
        "List, show and replay events that could not be taken.",
        LOOK,
    ),
    Command(
        "remembered",
        "countersign.cli.remembered_commands:app",
        "Show and forget a user's remembered browsers.",
        LOOK,
    ),
    Command(
        "config",
        "countersign.cli.config_command:config",
        "Show this process's settings, without secrets.",
        LOOK,
    ),
)


def version() -> str:
    """Return the installed version."""
    return metadata.version(DISTRIBUTION)


def build(called: str | None = None) -> App:
    """Return the root of the command line.

    Args:
        called: the command that is going to be called; it speaks for itself.
    """
    root = App(
        name="countersign",
        help=_HELP,
        version=version,
        # What a command returns is its exit status, see `run`.
        result_action="return_value",
    )
    for command in COMMANDS:
        # The line in the list would replace the command's own, longer help.
        line = command.help if command.name != called else None
        root.command(command.target, name=command.name, help=line, group=command.group)
    return root


def run(tokens: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    Args:
        tokens: the command line without the program's name; None: the process's own.

    Raises:
        SystemExit: wrong usage (status 2), or Ctrl-C (status 130).
    """
    tokens = sys.argv[1:] if tokens is None else tokens
    try:
        status = build(next(iter(tokens), None))(tokens)
    except CountersignError as error:
        # Imported here, since most commands get by without it.
        from countersign.cli.output import complain  # noqa: PLC0415

        complain(error)
        return FAILED
    except ImportError as error:
        # Commands are imported when they are called, and need more than the client alone does.
        sys.stderr.write(
            f"Error: {error}\n  → Install what the commands need: pip install"
            f" '{DISTRIBUTION}[services,local]'; `local` is for the demo alone.\n"
        )
        return FAILED
    except BrokenPipeError:
        # Whoever read our output has seen enough, as `head` does. The interpreter must not try to
        # flush the rest at its end.
        sys.stdout = None
        return FAILED
    return status if isinstance(status, int) else OK


def main() -> None:
    """Run the process's own command line, and end the process."""
    sys.exit(run())
