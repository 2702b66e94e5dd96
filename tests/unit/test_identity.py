"""Hashes and names: Kafka's own partitioner, nested buckets, and hashes that nothing can forge."""

from __future__ import annotations

import uuid

import pytest
from aiokafka.partitioner import murmur2 as kafkas_murmur2
from hypothesis import given
from hypothesis import strategies as st

from countersign.core.identity import (
    BUCKETS,
    RESULT_NAMESPACE,
    EventIdentity,
    Pseudonyms,
    Stage,
    bucket_of,
    challenge_bucket,
    murmur2,
    partition_of,
    result_id,
    user_key,
)
from tests.builders import ALICE, LAPTOP, PSEUDONYMS, an_identity

texts = st.text(max_size=12)
parts = st.tuples(texts, texts, texts)


@given(st.binary(max_size=300))
def test_murmur2_is_kafkas(data: bytes) -> None:
    """For any bytes it is the hash of Kafka's own partitioner, unsigned."""
    assert murmur2(data) == kafkas_murmur2(data) & 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "signed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_gives_the_java_clients_own_examples(data: bytes, signed: int) -> None:
    """Apache Kafka, clients, UtilsTest.testMurmur2."""
    assert murmur2(data) == signed & 0xFFFFFFFF


@given(key=st.binary(max_size=60), power=st.integers(0, 16))
def test_buckets_and_partitions_nest(key: bytes, power: int) -> None:
    """With a power of two of partitions, a partition's users fall into few buckets or one."""
    key_hash, partitions = murmur2(key), 2**power
    bucket, partition = bucket_of(key_hash), partition_of(key_hash, partitions)
    assert 0 <= bucket < BUCKETS
    assert 0 <= partition < partitions
    shared = min(BUCKETS, partitions)
    assert bucket % shared == partition % shared


@given(first=parts, second=parts)
@pytest.mark.law(10)
def test_only_the_same_parts_have_the_same_hash(
    first: tuple[str, str, str], second: tuple[str, str, str]
) -> None:
    """Law 10: no other way of cutting the parts gives the hash of an event or a browser."""
    one, other = EventIdentity(*first), EventIdentity(*second)
    assert (PSEUDONYMS.event(one) == PSEUDONYMS.event(other)) == (one == other)
    assert (PSEUDONYMS.browser(*first) == PSEUDONYMS.browser(*second)) == (first == second)


@given(parts, st.integers(0, 3), st.integers(0, 12))
@pytest.mark.law(10)
def test_moving_text_from_a_part_to_the_next_changes_the_hash(
    whole: tuple[str, str, str], cut: int, at: int
) -> None:
    """Law 10: `ab` + `c` is not `a` + `bc`, whatever separators the parts hold themselves."""
    moved = list(whole)
    left, right = cut % 2, cut % 2 + 1
    moved[left], moved[right] = whole[left][:at], whole[left][at:] + whole[right]
    same = tuple(moved) == whole
    assert (PSEUDONYMS.event(EventIdentity(*moved)) == PSEUDONYMS.event(EventIdentity(*whole))) == (
        same
    )


@pytest.mark.law(9)
def test_hashes_are_keyed() -> None:
    """Law 9: without the deployment's key nobody can compute what stands for whom."""
    other = Pseudonyms(bytes(32))
    identity = an_identity()
    assert PSEUDONYMS.event(identity) != other.event(identity)
    assert PSEUDONYMS.user("acme", ALICE) != other.user("acme", ALICE)
    assert PSEUDONYMS.browser("acme", ALICE, LAPTOP) != other.browser("acme", ALICE, LAPTOP)
    assert PSEUDONYMS.challenge(identity, 1) != other.challenge(identity, 1)
    assert PSEUDONYMS.code("x", "code") != other.code("x", "code")


@pytest.mark.law(10)
@given(parts)
def test_kinds_of_hashes_are_apart(same: tuple[str, str, str]) -> None:
    """Law 10: what stands for a browser never stands for an event, nor a user's for a code."""
    assert PSEUDONYMS.browser(*same) != PSEUDONYMS.event(EventIdentity(*same))
    assert PSEUDONYMS.user(*same[:2]) != PSEUDONYMS.code(*same[:2])


def test_hashes_are_the_same_for_ever() -> None:
    """A new version that computed others would forget every browser and orphan every challenge."""
    identity = an_identity()
    assert PSEUDONYMS.event(identity) == "rVI4nWNzq1M03q3Ihw6l2w"
    assert PSEUDONYMS.user("acme", ALICE) == "LqHnhXThTBKb4o7vaQF7lw"
    assert PSEUDONYMS.browser("acme", ALICE, LAPTOP) == "BGRwZ72scpEN5qeS0lKsTg"
    assert PSEUDONYMS.challenge(identity, 0x60) == "60rVI4nWNzq1M03q3Ihw6l2w"
    assert PSEUDONYMS.code("60cfEriNHr09lmJ11b_z506g", "code") == "popZti7IMkMuBGCCIOS7mA"


@pytest.mark.parametrize("length", [32, 64])
def test_a_key_of_32_to_64_bytes_is_taken(length: int) -> None:
    """Both ends of what BLAKE2b takes, and long enough."""
    assert len(Pseudonyms(bytes(length)).user("acme", ALICE)) == 22


@pytest.mark.parametrize("length", [0, 16, 31, 65])
def test_a_key_of_the_wrong_length_is_refused(length: int) -> None:
    """A short key can be guessed, and a long one isn't used whole."""
    with pytest.raises(ValueError, match=f"has {length} bytes; give it 32 to 64"):
        Pseudonyms(bytes(length))


@pytest.mark.law(2)
def test_a_results_id_is_the_same_for_ever() -> None:
    """Law 2: consumers drop repeated ids, so the id of an event's result never changes."""
    assert result_id(an_identity(), Stage.DECISION) == "2211cbd2-b62d-5714-947f-2f1938efddaf"
    assert result_id(an_identity(), Stage.OUTCOME) == "4e4fc8ac-ece3-520a-bda3-8e659de73727"


@given(parts, st.sampled_from(Stage))
def test_a_results_id_is_a_uuid_of_version_5(same: tuple[str, str, str], stage: Stage) -> None:
    """Anybody can work the id out with RFC 9562 alone, from the namespace and the four parts."""
    name = "\n".join((*same, stage.value))
    assert result_id(EventIdentity(*same), stage) == str(uuid.uuid5(RESULT_NAMESPACE, name))


@given(first=st.tuples(*[st.text("ab:/ -", min_size=1, max_size=4)] * 3), second=parts)
def test_results_of_different_events_or_stages_have_different_ids(
    first: tuple[str, str, str], second: tuple[str, str, str]
) -> None:
    """The four parts can't hold the line feed that joins them, so none is taken for another."""
    one = EventIdentity(*first)
    assert result_id(one, Stage.DECISION) != result_id(one, Stage.OUTCOME)
    other = EventIdentity(*("".join(part.splitlines()) for part in second))
    if one != other:
        assert result_id(one, Stage.DECISION) != result_id(other, Stage.DECISION)


@given(bucket=st.integers(0, BUCKETS - 1), event_id=st.text(min_size=1))
def test_a_challenge_id_carries_its_bucket(bucket: int, event_id: str) -> None:
    """Whoever has the id finds the bucket, and the same event has the same id (law 2)."""
    identity = an_identity(event_id=event_id)
    challenge_id = PSEUDONYMS.challenge(identity, bucket)
    assert challenge_bucket(challenge_id) == bucket
    assert PSEUDONYMS.challenge(identity, bucket) == challenge_id


@pytest.mark.parametrize("start", ["-1", "+1", " 1", "1_", "FF", "0x", "\u0661\u0661", "zz"])
def test_what_no_challenge_id_begins_with_has_no_bucket(start: str) -> None:
    """An id from a URL may say anything; a sign, a blank or other digits make no bucket."""
    with pytest.raises(ValueError, match="a challenge id has"):
        challenge_bucket(start + "A" * 22)


@given(st.text(max_size=30))
def test_any_text_is_a_challenge_id_or_a_value_error(text: str) -> None:
    """Nothing but a ValueError comes of a text from outside, and a bucket is in range."""
    try:
        assert 0 <= challenge_bucket(text) < BUCKETS
    except ValueError:
        return


def test_a_users_key_splits_in_one_way() -> None:
    """A tenant has no colon, so tenant and subject can be told from the key."""
    assert user_key("acme", "auth0|a:b") == b"acme:auth0|a:b"
