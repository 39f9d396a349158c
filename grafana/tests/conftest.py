"""The fixture `stack`: one running stack for all tests that need servers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stack import Stack, cast_votes, running

# Long enough for several scrapes and one rule evaluation, so that every rate has data.
TRAFFIC_S = 10


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Starts a stack and sends votes by every route."""
    directory: Path = tmp_path_factory.mktemp("stack")
    with running(directory) as running_stack:
        cast_votes(running_stack, TRAFFIC_S)
        yield running_stack
