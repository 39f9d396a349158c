"""The sequence of votes and paths."""

import pytest

from dualpath_locust.sequence import VotePath, VoteSequence, parse_mix
from dualpath_locust.votes import Vote

VOTES = [
    Vote.from_fields({"name": name, "album": "a", "year": 1996, "rank": 1}) for name in ("first", "second", "third")
]


def paths(seed: str, mix: str = "split=2,grpc=1", count: int = 3000) -> list[VotePath]:
    sequence = VoteSequence(VOTES, parse_mix(mix), seed)
    return [sequence.next_path() for _ in range(count)]


def test_votes_keep_their_order_and_repeat() -> None:
    sequence = VoteSequence(VOTES, parse_mix("rest=1"), "1")
    assert [sequence.next_vote().message.name for _ in range(4)] == ["first", "second", "third", "first"]


def test_one_seed_gives_one_sequence_of_paths() -> None:
    assert paths("1") == paths("1")
    assert paths("1") != paths("2")


def test_paths_follow_their_weights() -> None:
    drawn = paths("1")
    # Five standard deviations around 1000 of 3000.
    assert 870 < drawn.count(VotePath.GRPC) < 1130
    assert drawn.count(VotePath.REST) == 0


def test_mix_is_parsed() -> None:
    assert parse_mix("split=2, rest=10") == {VotePath.SPLIT: 2, VotePath.REST: 10}


@pytest.mark.parametrize("text", ["", "bridge=1", "grpc", "grpc=0", "grpc=-1", "grpc=1.5", "grpc=1,grpc=2", "grpc=1,"])
def test_invalid_mix_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"path|weight|twice"):
        parse_mix(text)
