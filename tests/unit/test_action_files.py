"""A directory of Actions is taken whole or refused whole, with everything that is wrong in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.adapters.action_files import load_flow
from countersign.core.action import MAX_ACTIONS, ActionKind
from countersign.core.errors import Problem, SettingsError
from countersign.wire.actions_file import ActionDraft, FlowDraft, flow_draft_problems
from countersign.wire.actions_toml import read_manifest
from countersign.wire.secrets_file import read_secrets

CANARY = "canary-of-a-secret"
CODE = "exports.onExecutePostLogin = async (event, api) => {};\n"
RULE = "function (user, context, callback) { callback(null, user, context); }\n"

WHOLE = """
tenant = "acme"
configuration = ["DUO_IKEY", "DUO_SKEY"]

[[flow]]
name = "old-rule"
kind = "rule"
secrets = ["OWN"]

[[flow]]
name = "require-duo"
file = "code/duo.js"
secrets = ["DUO_SKEY", "ADMIN_ROLE"]
modules = { "ipaddr.js" = "vendor/ipaddr.js" }

[[flow]]
name = "partner_policy"
kind = "python"
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A whole flow."""
    directory = tmp_path / "acme"
    for folder in ("code", "vendor"):
        (directory / folder).mkdir(parents=True)
    (directory / "actions.toml").write_text(WHOLE)
    (directory / "old-rule.js").write_text(RULE)
    (directory / "code" / "duo.js").write_text(CODE)
    (directory / "vendor" / "ipaddr.js").write_text("module.exports = {};")
    return directory


def secrets(directory: Path, text: str) -> Path:
    """Write a file of secret values beside the directory."""
    path = directory.parent / "acme.env"
    path.write_text(text)
    return path


def refused(directory: Path, values: Path | None = None) -> dict[str, str]:
    """Return the problems that a directory has: key and the rest of the line."""
    with pytest.raises(SettingsError) as raised:
        load_flow(directory, values)
    assert CANARY not in str(raised.value)
    return {p.key: f"{p.problem}. {p.remedy}" for p in raised.value.problems}


def one(directory: Path, entry: str) -> dict[str, str]:
    """Return the problems of a manifest with one entry."""
    (directory / "actions.toml").write_text(f'tenant = "acme"\n[[flow]]\n{entry}')
    return refused(directory)


def test_whole_directory_is_read(directory: Path) -> None:
    """Order, kinds, files, modules; Rules read the configuration, and a value of its own comes first."""
    values = secrets(
        directory,
        f"DUO_IKEY=DI\nDUO_SKEY={CANARY}\nrequire-duo.DUO_SKEY=another\nold-rule.OWN='x'\n",
    )
    flow = load_flow(directory, values)
    rule, action, python = flow.actions
    assert (flow.tenant, flow.source) == ("acme", str(directory / "actions.toml"))
    assert [each.name for each in flow.actions] == ["old-rule", "require-duo", "partner_policy"]
    assert (rule.kind, rule.source, rule.file) == (
        ActionKind.RULE,
        RULE,
        str(directory / "old-rule.js"),
    )
    assert rule.secrets == {"DUO_IKEY": "DI", "DUO_SKEY": CANARY, "OWN": "x"}
    assert (action.kind, action.source) == (ActionKind.ACTION, CODE)
    assert action.modules == {"ipaddr.js": "module.exports = {};"}
    assert action.secrets == {"DUO_SKEY": "another", "ADMIN_ROLE": None}
    assert python == ActionDraft(name="partner_policy", kind=ActionKind.PYTHON)


def test_values_that_are_not_given_are_none(directory: Path) -> None:
    """Without a file of values all names stand for the values in force."""
    for action in load_flow(directory).actions:
        assert set(action.secrets.values()) <= {None}


@pytest.mark.law(9)
def test_draft_shows_no_secret(directory: Path) -> None:
    """The values in clear are in no repr."""
    flow = load_flow(directory, secrets(directory, f"DUO_SKEY={CANARY}"))
    assert CANARY not in repr(flow)


def test_everything_wrong_in_the_manifest_is_told_at_once(directory: Path) -> None:
    """Unknown keys, wrong types, what is missing: all in one go, each with a remedy."""
    (directory / "actions.toml").write_text(
        """
        tennant = "acme"
        configuration = "DUO_IKEY"
        [[flow]]
        nmae = "require-duo"
        [[flow]]
        name = "Require Duo"
        kind = "hook"
        [[flow]]
        name = "a"
        secrets = { DUO_SKEY = "canary-of-a-secret" }
        [[flow]]
        name = "b"
        modules = ["ipaddr.js"]
        """
    )
    found = refused(directory)
    assert "Did you mean tenant?" in found["tennant"]
    assert "is missing" in found["tenant"]
    assert 'configuration = ["DUO_IKEY"]' in found["configuration"]
    assert "Did you mean name?" in found["flow[0].nmae"]
    assert "is missing" in found["flow[0].name"]
    assert "a-z, 0-9" in found["flow[1].name"]
    assert "values go into a file of their own" in found["flow[2].secrets"]
    assert "vendor/ipaddr.js" in found["flow[3].modules"]


def test_kind_that_is_unknown_is_told(directory: Path) -> None:
    """The kinds that there are are named."""
    assert "rule, action, python" in one(directory, 'name = "a"\nkind = "hook"')["flow[0].kind"]


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ('tenant = "acme"', "flow", "flow = [] takes all of them out of force"),
        ('tenant = "acme"\nflow = "require-duo"', "flow", "Begin each Action with [[flow]]"),
        ('tenant = "acme"\nflow = ["require-duo"]', "flow[0]", "Begin each Action with [[flow]]"),
        ('tenant = "acme', "file", "is not TOML"),
        ('tenant = "Acme"\nflow = []', "tenant", "is no tenant's name"),
        ("tenant = 5\nflow = []", "tenant", "is no tenant's name"),
    ],
)
def test_manifest_that_says_nothing_clear_is_refused(
    directory: Path, text: str, key: str, said: str
) -> None:
    """Nothing is guessed, least of all that no Action is to run."""
    (directory / "actions.toml").write_text(text)
    assert said in refused(directory)[key]


def test_flow_may_be_empty_on_purpose(directory: Path) -> None:
    """Who wants no Action says so."""
    (directory / "actions.toml").write_text('tenant = "acme"\nflow = []')
    assert load_flow(directory) == FlowDraft(
        source=str(directory / "actions.toml"), tenant="acme", actions=()
    )


def test_files_are_judged_together(directory: Path) -> None:
    """A missing file, a folder, another encoding and an empty file: all are told at once."""
    (directory / "old-rule.js").unlink()
    (directory / "code" / "duo.js").write_bytes(b"// \xff")
    (directory / "vendor" / "ipaddr.js").unlink()
    (directory / "vendor" / "ipaddr.js").mkdir()
    (directory / "empty.js").write_text("\n \n")
    manifest = directory / "actions.toml"
    entry = '\n[[flow]]\nname = "empty"\n[[flow]]\nname = "partner_policy"'
    manifest.write_text(WHOLE.partition('\n[[flow]]\nname = "partner')[0] + entry)
    found = refused(directory)
    assert "can't be read (No such file" in found["flow[0].file"]
    assert "is not UTF-8 (byte 3)" in found["flow[1].file"]
    assert "is no file" in found["flow[1].modules"]
    assert "is empty" in found["flow[2].file"]
    assert "partner_policy.js can't be read" in found["flow[3].file"]


def test_byte_order_mark_is_no_part_of_the_code(directory: Path) -> None:
    """Editors that write one are common."""
    (directory / "code" / "duo.js").write_bytes(b"\xef\xbb\xbf" + CODE.encode())
    assert load_flow(directory).actions[1].source == CODE


def test_what_lies_outside_is_never_read(directory: Path, tmp_path: Path) -> None:
    """Neither by a path, nor by a link, nor by a link to a folder; a link within is followed."""
    (tmp_path / "outside.js").write_text(CODE)
    (directory / "out.js").symlink_to(tmp_path / "outside.js")
    (directory / "up").symlink_to(tmp_path)
    (directory / "loop.js").symlink_to(directory / "loop.js")
    (directory / "in.js").symlink_to(directory / "code" / "duo.js")
    for name in ("../outside.js", str(tmp_path / "outside.js"), "out.js", "up/outside.js"):
        assert "is not in" in one(directory, f'name = "a"\nfile = "{name}"')["flow[0].file"]
        entry = f'name = "a"\nfile = "in.js"\nmodules = {{ a = "{name}" }}'
        assert "is not in" in one(directory, entry)["flow[0].modules"]
    for name in ("loop.js", "a\\u0000b", "x" * 300, "code", "."):
        assert "flow[0].file" in one(directory, f'name = "a"\nfile = "{name}"')
    (directory / "actions.toml").write_text('tenant = "acme"\n[[flow]]\nname = "a"\nfile = "in.js"')
    assert load_flow(directory).actions[0].source == CODE


def test_pipe_is_not_waited_for(directory: Path) -> None:
    """What is no file is refused, and not read for ever."""
    os.mkfifo(directory / "pipe.js")
    assert "is no file" in one(directory, 'name = "pipe"')["flow[0].file"]


def test_sizes_are_auth0s(directory: Path) -> None:
    """100 kB of code, 500 kB of modules, 4,096 characters of a secret, 20 Actions; all within a record."""
    big = directory / "big.js"
    for size, text in ((100_000, None), (100_001, "at most 100000"), (600_000, "more than")):
        big.write_text("x" * size)
        (directory / "actions.toml").write_text('tenant = "acme"\n[[flow]]\nname = "big"')
        if text is None:
            assert len(load_flow(directory).actions[0].source) == size
        else:
            assert text in refused(directory)["flow[0].file"]
    big.write_text("x" * 250_001)
    entry = 'name = "a"\nfile = "old-rule.js"\nmodules = { a = "big.js", b = "big.js" }'
    assert "at most 500000" in one(directory, entry)["flow[0].modules"]
    big.write_text("\x01" * 200_000)
    entry = 'name = "a"\nfile = "old-rule.js"\nmodules = { a = "big.js" }'
    assert "Kafka takes 1000000" in one(directory, entry)["flow[0].file"]
    values = secrets(directory, f"A={'x' * 4096}\nB={'x' * 4097}")
    entry = '[[flow]]\nname = "a"\nfile = "old-rule.js"\nsecrets = ["A", "B"]'
    (directory / "actions.toml").write_text(f'tenant = "acme"\n{entry}')
    assert "4097 characters for B" in refused(directory, values)["flow[0].secrets"]
    entries = [
        f'[[flow]]\nname = "a{number}"\nfile = "old-rule.js"\n' for number in range(MAX_ACTIONS + 1)
    ]
    (directory / "actions.toml").write_text('tenant = "acme"\n' + "".join(entries))
    assert "has 21 Actions" in refused(directory)["flow"]


def test_order_and_names_of_the_flow_are_judged(directory: Path) -> None:
    """Rules come first, each Action once; a Python Action has no code, secrets or modules here."""
    (directory / "actions.toml").write_text(
        """
        tenant = "acme"
        [[flow]]
        name = "partner"
        kind = "python"
        file = "old-rule.js"
        secrets = ["A"]
        [[flow]]
        name = "old-rule"
        [[flow]]
        name = "old-rule"
        """
    )
    found = refused(directory)
    assert found.keys() == {"flow[0].file", "flow[0].secrets", "flow[1]", "flow[2]"}
    assert "Rules first" in found["flow[1]"]


@pytest.mark.law(10)
@pytest.mark.parametrize("name", ["", "a/b", "../x", "Duo", "-a", "a\n", "x" * 64, "ü"])
def test_names_can_not_forge_keys(name: str) -> None:
    """Wherever a flow comes from, a name has nothing in it that stands between a key's parts."""
    flow = FlowDraft(source="", tenant="acme", actions=(ActionDraft(name=name, source=CODE),))
    assert [problem.key for problem in flow_draft_problems(flow)] == ["flow[0].name"]


@pytest.mark.parametrize("name", ["", "a b", "a.b", "x" * 129, "a=b", "ü", "a\\n"])
def test_secret_names_are_those_that_a_file_can_give(directory: Path, name: str) -> None:
    """Letters, digits and what Auth0 takes besides."""
    assert "flow[0].secrets" in one(
        directory, f'name = "a"\nfile = "old-rule.js"\nsecrets = ["{name}"]'
    )


def test_directory_and_its_files_have_to_be_there(directory: Path, tmp_path: Path) -> None:
    """A missing directory, a file in its place, a missing manifest or file of values: told."""
    assert "is no directory" in refused(tmp_path / "missing")["directory"]
    assert "is no directory" in refused(directory / "actions.toml")["directory"]
    assert "can't be read" in refused(tmp_path)["file"]
    assert "can't be read" in refused(directory, tmp_path / "missing.env")["file"]
    assert "is no file" in refused(directory, tmp_path)["file"]


def test_value_that_nobody_reads_is_told_by_its_line(directory: Path) -> None:
    """A misspelt name is not passed over; it is not quoted either, since it may be a value."""
    values = secrets(directory, f"DUO_SKEYS=1\n\nold-rule.ADMIN_ROLE=1\n{CANARY}==\nnobody.OWN=2")
    found = refused(directory, values)
    assert set(found) == {f"--secrets, line {line}" for line in (1, 3, 4, 5)}
    assert "named: ADMIN_ROLE, DUO_IKEY, DUO_SKEY, OWN" in found["--secrets, line 1"]


def test_code_is_judged_with_everything_else(directory: Path) -> None:
    """What a checker finds is told with the other problems; code that can't be read isn't judged."""
    (directory / "old-rule.js").unlink()
    judged: list[str] = []

    def check(draft: ActionDraft) -> list[Problem]:
        judged.append(draft.name)
        return [Problem(key=draft.name, problem="is wrong", remedy="Correct it")]

    with pytest.raises(SettingsError) as raised:
        load_flow(directory, check=check)
    assert judged == ["require-duo", "partner_policy"]
    keys = [problem.key for problem in raised.value.problems]
    assert keys == ["flow[0].file", "require-duo", "partner_policy"]


def test_secrets_are_read_as_people_write_them() -> None:
    """Comments, quotes, escapes, spaces, `export`, line ends of either kind, `=` and `#` in a value."""
    text = """\ufeff# a comment
PLAIN = a b=c #d
  QUOTED="a\\n\\"b\\" #c" # why

SINGLE='a\\nb'
export SHELL=yes\r
action.OWN=1
"""
    values = read_secrets(text.encode(), "acme.env")
    assert values.shared == {
        "PLAIN": "a b=c #d",
        "QUOTED": 'a\n"b" #c',
        "SINGLE": "a\\nb",
        "SHELL": "yes",
    }
    assert values.own == {("action", "OWN"): "1"}
    assert (values.value("action", "OWN"), values.value("other", "OWN")) == ("1", None)


@pytest.mark.law(9)
def test_wrong_lines_of_secrets_are_told_and_not_quoted() -> None:
    """Each by its number, with a remedy."""
    text = f'A={CANARY}\n{CANARY}\nA={CANARY}\nB="{CANARY}\nC=\n=D\na.A=1\na.A=2'
    with pytest.raises(SettingsError) as raised:
        read_secrets(text.encode(), "acme.env")
    assert CANARY not in str(raised.value)
    keys = [problem.key for problem in raised.value.problems]
    assert keys == ["line 2", "line 3", "line 4", "line 5", "line 6", "line 8"]
    with pytest.raises(SettingsError, match="is not UTF-8"):
        read_secrets(b"A=\xff", "acme.env")


@given(text=st.text(max_size=60) | st.text("A.='\"\\#\n x", max_size=30))
def test_any_text_is_values_or_refused(text: str) -> None:
    """Whatever stands in the file, nothing but `SettingsError` comes of it; it shows none of the text."""
    try:
        values = read_secrets(text.encode(), "acme.env")
    except SettingsError as error:
        places = [problem.key for problem in error.problems]
    else:
        places = [f"line {line}" for line in values.lines.values()]
        assert all(values.shared.values())
    assert all(place.startswith("line ") for place in places)


@given(text=st.binary(max_size=80))
def test_any_bytes_are_a_manifest_or_refused(text: bytes) -> None:
    """Whatever stands in the file, nothing but `SettingsError` comes of it."""
    with pytest.raises(SettingsError):
        read_manifest(text, "actions.toml")
