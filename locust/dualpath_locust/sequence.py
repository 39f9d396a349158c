"""The sequence of votes and paths."""

import itertools
import random
from collections.abc import Iterator, Sequence
from enum import StrEnum

from dualpath_locust.votes import Vote


class VotePath(StrEnum):
    """The path on which a vote is sent. The Ingress maps it to a route."""

    SPLIT = "split"
    GRPC = "grpc"
    REST = "rest"


Mix = dict[VotePath, int]


def parse_mix(text: str) -> Mix:
    """Parses paths and integer weights, such as `split=2,grpc=1`.

    Raises:
        ValueError: a path is unknown or repeated, or a weight is not a positive integer.
    """
    mix: Mix = {}
    for part in text.split(","):
        name, _, weight = (piece.strip() for piece in part.partition("="))
        if name not in list(VotePath):
            raise ValueError(f"{name!r} is not a path; the paths are {', '.join(VotePath)}")
        if VotePath(name) in mix:
            raise ValueError(f"{name} is given twice")
        if not weight.isdecimal() or int(weight) == 0:
            raise ValueError(f"the weight of {name} must be a positive integer, not {weight!r}")
        mix[VotePath(name)] = int(weight)
    return mix


class VoteSequence:
    """The votes of one process, in the order in which they are sent.

    All users of a process take votes from the same sequence. For one seed, vote number k is therefore the same vote on
    the same path for any number of users. Only the user that sends it can differ.

    The votes have the order of the file and repeat from its start.
    """

    def __init__(self, votes: Sequence[Vote], mix: Mix, seed: str) -> None:
        self._votes = itertools.cycle(votes)
        self._paths = _random_paths(mix, seed)

    def next_vote(self) -> Vote:
        """Returns the next vote."""
        return next(self._votes)

    def next_path(self) -> VotePath:
        """Returns the path of the next vote, for a user without a fixed path."""
        return next(self._paths)


def _random_paths(mix: Mix, seed: str) -> Iterator[VotePath]:
    generator = random.Random(seed)  # noqa: S311 - must be reproducible
    while True:
        # Draw a thousand at once, because the set-up of choices() costs more than a draw.
        yield from generator.choices(list(mix), weights=list(mix.values()), k=1000)
