"""The store's records: read back as they were, and read by the next version (F18)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.core.challenge import Challenge, Lease, Proof, State, claim, come_back
from countersign.core.effect import Effect
from countersign.core.facts import Facts
from countersign.core.login import LoginAttempted
from countersign.core.remember import RememberedBrowser
from countersign.core.result import Assurance, Decision, Outcome, Reason, ResultType, Ruling
from countersign.core.tenant import TenantSettings
from countersign.wire.records import pack, unpack_browser, unpack_challenge, unpack_decision
from tests import strategies
from tests.builders import NOW, a_browser, a_challenge, a_proven_challenge, decided

rulings = st.builds(
    Outcome,
    type=st.sampled_from(ResultType),
    reason=st.sampled_from(Reason),
    assurance=st.sampled_from(Assurance),
    decided_at=strategies.near_now,
    settings_version=st.integers(1, 2**53),
    trace=st.lists(st.text(max_size=12), max_size=4).map(tuple),
)

challenges = st.builds(
    msgspec.structs.replace,
    st.just(a_challenge()),
    subject=st.text(min_size=1, max_size=20),
    duo=st.sampled_from((None, strategies.OWN_ACCOUNT)),
    browser=st.one_of(st.none(), st.text(max_size=22)),
    ui_locales=st.lists(st.text(max_size=35), max_size=8).map(tuple),
    traceparent=st.one_of(st.none(), st.text(max_size=55)),
    state=st.sampled_from(State),
    lease=st.one_of(
        st.none(), st.builds(Lease, holder=st.text(max_size=30), until=strategies.near_now)
    ),
    proof=st.one_of(
        st.none(),
        st.builds(Proof, assurance=st.sampled_from(Assurance), code_hash=st.text(max_size=22)),
    ),
    outcome=st.one_of(st.none(), rulings),
    revision=st.integers(0, 10),
)


@given(
    login=strategies.logins(),
    tenant=strategies.tenants(),
    effect=strategies.effects,
    facts=strategies.facts,
)
def test_a_decision_comes_back(
    login: LoginAttempted, tenant: TenantSettings, effect: Effect, facts: Facts
) -> None:
    """A decision's record holds all of it."""
    decision = decided(login, tenant=tenant, effect=effect, facts=facts)
    assert unpack_decision(pack(decision)) == decision


@given(challenges)
def test_a_challenge_comes_back(challenge: Challenge) -> None:
    """A challenge's record holds all of it, whatever state it is in."""
    assert unpack_challenge(pack(challenge)) == challenge


@given(strategies.browsers)
def test_a_browser_comes_back(browser: RememberedBrowser) -> None:
    """A remembered browser's record holds all of it."""
    assert unpack_browser(pack(browser)) == browser


# What stands in stores: records that a version before this one wrote. They are only ever added to.
DECISION = bytes.fromhex(
    "9bb06c6f67696e2e6368616c6c656e676564a76d66615f647565a46e6f6e65d6ff69a551900192b7706f6c69"
    "63792d616c6c2d6170706c69636174696f6e73ad64756f2d6368616c6c656e676582a26964b8363072564934"
    "6e574e7a71314d30337133496877366c3277a375726cd93268747470733a2f2f6d66612e6578616d706c652e"
    "636f6d2f632f3630725649346e574e7a71314d30337133496877366c3277d6ff69a552bcc0c3c0"
)
ALLOWED = bytes.fromhex(
    "9bad6c6f67696e2e616c6c6f776564b272656d656d62657265645f62726f77736572aa72656d656d62657265"
    "64d6ff69a551900192b7706f6c6963792d616c6c2d6170706c69636174696f6e73b272656d656d6265726564"
    "2d62726f77736572c0c0c0c2c0"
)
BROWSER = bytes.fromhex(
    "94d6ff69a2ae90d6ff69a2ae90d6ff69ca3b90b8303041414141414141414141414141414141414141414141"
)
CHALLENGE = bytes.fromhex(
    "de000da26964b83630725649346e574e7a71314d30337133496877366c3277a86964656e7469747983a67465"
    "6e616e74a461636d65a6736f75726365b868747470733a2f2f73686f702e6578616d706c652e636f6da86576"
    "656e745f6964a76c6f67696e2d31a77375626a656374ab61757468307c616c696365a9636c69656e745f6964"
    "a473686f70aa637265617465645f6174d6ff69a55190a8646561646c696e65d6ff69a552bcac64756f5f7573"
    "65726e616d65ab61757468307c616c696365aa72657475726e5f75726cbf68747470733a2f2f73686f702e65"
    "78616d706c652e636f6d2f72657475726eb073657474696e67735f76657273696f6e01a762726f77736572b6"
    "424752775a3732736370454e35716553306c4b735467a57374617465aa65786368616e67696e67a56c656173"
    "6582a6686f6c646572a6686f6c646572a5756e74696cd6ff69a5519fa87265766973696f6e01"
)
PASSED = bytes.fromhex(
    "de000ea26964b83630725649346e574e7a71314d30337133496877366c3277a86964656e7469747983a67465"
    "6e616e74a461636d65a6736f75726365b868747470733a2f2f73686f702e6578616d706c652e636f6da86576"
    "656e745f6964a76c6f67696e2d31a77375626a656374ab61757468307c616c696365a9636c69656e745f6964"
    "a473686f70aa637265617465645f6174d6ff69a55190a8646561646c696e65d6ff69a552bcac64756f5f7573"
    "65726e616d65ab61757468307c616c696365aa72657475726e5f75726cbf68747470733a2f2f73686f702e65"
    "78616d706c652e636f6d2f72657475726eb073657474696e67735f76657273696f6e01a762726f77736572b6"
    "424752775a3732736370454e35716553306c4b735467a57374617465a6706173736564a570726f6f6683a961"
    "73737572616e6365a36d6661a9636f64655f68617368b6776f334745375669467633726d7a58616844416a41"
    "51a5766973697483a26964a776697369742d31a6636f6f6b6965b1636f6f6b6965206f662076697369742d31"
    "a26174d6ff69a55190a76f7574636f6d6596b06368616c6c656e67652e706173736564ab64756f5f616c6c6f"
    "776564a36d6661d6ff69a551cc0192b06368616c6c656e67652d70726f76656ea872657475726e6564a87265"
    "766973696f6e03"
)


def passed() -> Challenge:
    """Return a challenge that was passed."""
    proven = a_proven_challenge()
    assert proven.proof is not None
    return come_back(proven, proven.proof.code_hash, NOW + timedelta(minutes=1))


@pytest.mark.law(2)
def test_records_of_earlier_versions_are_read() -> None:
    """Law 2: a rolling upgrade answers a redelivery from the record that the old version made."""
    assert unpack_decision(DECISION) == decided()
    assert unpack_decision(ALLOWED) == decided(facts=Facts(remembered=a_browser()))
    assert unpack_browser(BROWSER) == a_browser()
    assert unpack_challenge(CHALLENGE) == claim(a_challenge(), "holder", NOW, timedelta(seconds=15))
    assert unpack_challenge(PASSED) == passed()


def _cut_array(record: bytes, length: int) -> list[object]:
    fields: list[object] = msgspec.msgpack.decode(record)
    return fields[:length]


def _cut(record: bytes, name: str, length: int) -> dict[str, object]:
    fields: dict[str, Any] = msgspec.msgpack.decode(record)
    return {**fields, name: fields[name][:length]}


@pytest.mark.law(2)
def test_records_are_still_written_so_that_earlier_versions_read_them() -> None:
    """Law 2: in the midst of an upgrade the old version reads what the new one wrote."""
    # An array may be longer than an old version knows it.
    assert _cut_array(pack(decided()), 11) == msgspec.msgpack.decode(DECISION)
    remembered = pack(decided(facts=Facts(remembered=a_browser())))
    assert _cut_array(remembered, 11) == msgspec.msgpack.decode(ALLOWED)
    assert pack(a_browser()) == BROWSER
    assert pack(claim(a_challenge(), "holder", NOW, timedelta(seconds=15))) == CHALLENGE
    assert _cut(pack(passed()), "outcome", 6) == msgspec.msgpack.decode(PASSED)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            Ruling,
            ("type", "reason", "assurance", "decided_at", "settings_version", "trace"),
        ),
        (
            Decision,
            (
                *("type", "reason", "assurance", "decided_at", "settings_version", "trace"),
                *("challenge", "challenge_expires_at", "provider", "may_remember"),
                *("traceparent", "access_denied", "redirect_url", "factors", "recorded"),
            ),
        ),
        (
            Outcome,
            (
                *("type", "reason", "assurance", "decided_at", "settings_version", "trace"),
                "duo",
            ),
        ),
        (RememberedBrowser, ("since", "renewed", "absolute_end", "challenge")),
    ],
)
def test_an_arrays_fields_stay_in_their_places(
    kind: type[msgspec.Struct], names: tuple[str, ...]
) -> None:
    """A record that is an array only ever gets fields at its end."""
    assert kind.__struct_fields__[: len(names)] == names


def test_fields_that_a_newer_version_added_are_left_alone() -> None:
    """An older process reads a longer array, and a map with more in it, as far as it knows them."""
    longer = msgspec.msgpack.encode([*msgspec.msgpack.decode(BROWSER), "new"])
    assert unpack_browser(longer) == a_browser()
    wider = msgspec.msgpack.encode({**msgspec.msgpack.decode(PASSED), "new": 1})
    assert unpack_challenge(wider) == passed()


@pytest.mark.law(2)
def test_a_challenge_without_languages_is_read_and_written_as_ever() -> None:
    """Law 2: records from before languages were kept have none, and a login that asks for none adds none."""
    assert b"ui_locales" not in CHALLENGE
    assert unpack_challenge(CHALLENGE).ui_locales == ()
    asked = msgspec.structs.replace(passed(), ui_locales=("de-CH", "fr"))
    assert unpack_challenge(pack(asked)) == asked
    older = msgspec.msgpack.decode(pack(asked))
    assert older.pop("ui_locales") == ["de-CH", "fr"]
    assert unpack_challenge(msgspec.msgpack.encode(older)) == passed()


def test_a_record_is_small() -> None:
    """Millions of decisions stand in the store, so a plain one takes less than 200 bytes."""
    assert len(pack(decided(facts=Facts(remembered=a_browser())))) < 120
    assert len(pack(decided())) < 200
    assert len(BROWSER) < 60
