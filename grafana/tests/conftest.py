"""One stack for all tests that need servers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stack import Stack, cast_votes, running

# Four scrapes and a turn of the rules: every rate has something to count.
TRAFFIC_S = 10


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack that has seen votes by every route."""
    directory: Path = tmp_path_factory.mktemp("stack")
    with running(directory) as running_stack:
        cast_votes(running_stack, TRAFFIC_S)
        yield running_stack
