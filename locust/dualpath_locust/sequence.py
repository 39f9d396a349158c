"""Which vote goes out next, and on which path."""

import itertools
import random
from collections.abc import Iterator, Sequence
from enum import StrEnum

from dualpath_locust.votes import Vote


class VotePath(StrEnum):
    """How a vote is sent; which route it then takes is for the Ingress to say."""

    SPLIT = "split"
    GRPC = "grpc"
    REST = "rest"


Mix = dict[VotePath, int]


def parse_mix(text: str) -> Mix:
    """Reads `split=2,grpc=1`: paths and their integer weights.

    Raises:
        ValueError: an unknown or repeated path, a weight that is not a positive integer.
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
    """The votes of one process, in the order in which they go out.

    All users of a process draw from the same sequence. So vote number k is the same vote on the same path whatever
    the number of users: for one seed, two runs send the same votes as far as the shorter of them comes. Only which
    user sends vote k is left to chance.

    Votes come in the order of the file, from the start again after its end.
    """

    def __init__(self, votes: Sequence[Vote], mix: Mix, seed: str) -> None:
        self._votes = itertools.cycle(votes)
        self._paths = _draws(mix, seed)

    def next_vote(self) -> Vote:
        """The next vote, for a user that has its own path."""
        return next(self._votes)

    def next_path(self) -> VotePath:
        """The path of the next vote, for a user that mixes paths."""
        return next(self._paths)


def _draws(mix: Mix, seed: str) -> Iterator[VotePath]:
    generator = random.Random(seed)  # noqa: S311 - repeatable by intention
    while True:
        # A thousand draws a call: choices() costs more to set up than to draw.
        yield from generator.choices(list(mix), weights=list(mix.values()), k=1000)
