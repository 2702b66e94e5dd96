"""`countersign actions lint` and `test` say what Actions do, and end with the status that scripts need."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from countersign.cli.app import run
from countersign.cli.linted import lint_paths, lint_problems
from countersign.core.action import ActionKind
from countersign.core.errors import CountersignError
from countersign.wire.actions_file import ActionDraft

GOOD = """\
exports.onExecutePostLogin = async (event, api) => {
  console.log('for', event.user.user_id, event.secrets.TOKEN);
  api.multifactor.enable('duo', { allowRememberBrowser: true });
};
"""
RULE = "function (user, context, callback) { configuration.LIST; callback(null, user, context); }\n"
MANIFEST = """\
tenant = "acme"
configuration = ["LIST"]

[[flow]]
name = "old"
kind = "rule"

[[flow]]
name = "duo"
secrets = ["TOKEN"]
"""
SECRET = "made-up-and-secret"


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    """A directory with a Rule and an Action."""
    (tmp_path / "actions.toml").write_text(MANIFEST)
    (tmp_path / "old.js").write_text(RULE)
    (tmp_path / "duo.js").write_text(GOOD)
    (tmp_path / "values.env").write_text(f"TOKEN={SECRET}\nLIST=a,b\n")
    event: dict[str, Any] = {
        "user": {"user_id": "auth0|alice"},
        "client": {"client_id": "payroll", "name": "Payroll"},
        "request": {"ip": "192.0.2.1"},
    }
    (tmp_path / "login.json").write_text(json.dumps(event))
    return tmp_path


def test_clean(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A flow that is right has no findings, by the kinds, secrets and modules of its manifest."""
    assert run(["actions", "lint", str(flow)]) == 0
    assert capsys.readouterr().err == "2 files, no findings.\n"


def test_wrong(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An error is shown with its place and a caret, and the status is 1."""
    (flow / "duo.js").write_text(GOOD.replace("'duo'", "'dou'"))
    assert run(["actions", "lint", str(flow)]) == 1
    told = capsys.readouterr().out
    assert f"{flow / 'duo.js'}:3:26: error: 'dou' is no provider (unknown-provider)" in told
    line, caret = told.splitlines()[1:3]
    assert line[caret.index("^") :].startswith("'dou'")


def test_json(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Programs get the findings as JSON; a warning alone leaves the status at 0."""
    (flow / "duo.js").write_text(GOOD.replace(", event.secrets.TOKEN", ""))
    assert run(["actions", "lint", str(flow), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["rule"], found["severity"]) == ("unused-secret", "warning")
    assert found["file"] == str(flow / "duo.js")


def test_one_file(flow: Path, tmp_path: Path) -> None:
    """A file is linted as its manifest says; without one, as it is told, and nobody knows its secrets."""
    (found,) = lint_paths([flow / "old.js"], ActionKind.ACTION)
    assert found.findings == []
    (flow / "actions.toml").unlink()
    (found,) = lint_paths([flow / "old.js"], ActionKind.ACTION)
    assert [each.rule for each in found.findings] == ["syntax"]
    (found,) = lint_paths([tmp_path / "duo.js"], ActionKind.ACTION)
    assert found.findings == []


@pytest.mark.parametrize("name", ["missing.js", "empty"])
def test_nothing(name: str, tmp_path: Path) -> None:
    """What can't be read is said so."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(CountersignError, match=name):
        lint_paths([tmp_path / name], ActionKind.ACTION)


def test_deploy_is_refused() -> None:
    """What lint calls an error keeps an Action from being deployed; a warning doesn't."""
    wrong = ActionDraft(name="duo", file="duo.js", source="exports.onExecutePostLogin = (")
    (problem,) = lint_problems(wrong)
    assert problem.key == "duo.js:1:31"
    unused = ActionDraft(name="duo", file="duo.js", source=GOOD, secrets={"TOKEN": None, "B": None})
    assert lint_problems(unused) == []


@pytest.mark.law(9)
def test_run(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A flow runs in the real sandbox: effect, console and time are shown, no secret is."""
    arguments = ["--event", str(flow / "login.json"), "--secrets", str(flow / "values.env")]
    assert run(["actions", "test", str(flow), *arguments, "--json"]) == 0
    told = capsys.readouterr()
    assert SECRET not in told.out + told.err
    document = json.loads(told.out)
    assert [each["said"] for each in document["actions"]] == ["silent", "enable-duo"]
    assert document["actions"][1]["console"][0]["text"].startswith("for auth0|alice")
    assert document["effect"] == {"provider": "duo", "allow_remember_browser": True}


def test_run_fails(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An Action that fails is told of, with status 1."""
    (flow / "other.js").write_text(
        "exports.onExecutePostLogin = async () => { throw new Error('x'); };"
    )
    arguments = ["actions", "test", str(flow / "other.js"), "--event", str(flow / "login.json")]
    assert run(arguments) == 1
    assert "an Action failed (threw): " in capsys.readouterr().out
