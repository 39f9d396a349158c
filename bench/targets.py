"""The targets of a benchmark, and how a report shows them."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A figure and its limit.

    Attributes:
        name: what the figure is.
        value: the figure.
        limit: the limit.
        is_minimum: True if the figure must be at least the limit, False if it must be at most the limit.
        is_required: True if the benchmark fails when the target is missed.
    """

    name: str
    value: float
    limit: float
    is_minimum: bool
    is_required: bool

    @property
    def is_met(self) -> bool:
        """Whether the figure is within the limit. There is no tolerance."""
        return self.value >= self.limit if self.is_minimum else self.value <= self.limit


def at_least(name: str, value: float, limit: float, *, required: bool) -> Target:
    """Returns a target that a figure meets if it is not below the limit."""
    return Target(name, value, limit, True, required)


def at_most(name: str, value: float, limit: float, *, required: bool) -> Target:
    """Returns a target that a figure meets if it is not above the limit."""
    return Target(name, value, limit, False, required)


def lines(targets: Sequence[Target]) -> str:
    """Returns a list in Markdown that says for each target whether it is met."""
    return "".join(f"- {_line(target)}\n" for target in targets)


def passed(targets: Sequence[Target]) -> bool:
    """Whether all required targets are met."""
    return all(target.is_met for target in targets if target.is_required)


def _line(target: Target) -> str:
    bound = "at least" if target.is_minimum else "at most"
    verdict = "yes" if target.is_met else "**no**"
    name = f"{target.name} (required)" if target.is_required else target.name
    return f"{name}: {target.value:.2f}, {bound} {target.limit:g}. Target met: {verdict}"
