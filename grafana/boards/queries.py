"""What a panel asks: PromQL, or a command of Redis."""

from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.cog import builder as cogbuilder
from grafana_foundation_sdk.cog import variants
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from .variables import PROMETHEUS, REDIS


@dataclass(frozen=True)
class Query:
    """PromQL over the time that the board shows; `now` asks for the last moment alone, `buckets` for a heat map."""

    expr: str
    legend: str
    now: bool = False
    buckets: bool = False

    @property
    def datasource(self) -> DataSourceRef:
        """Where it is asked."""
        return PROMETHEUS

    @property
    def transformations(self) -> tuple[DataTransformerConfig, ...]:
        """What Grafana does with the answer: nothing."""
        return ()

    def builder(self, ref_id: str) -> prometheus.Dataquery:
        """As the SDK wants it."""
        query = prometheus.Dataquery().datasource(PROMETHEUS).ref_id(ref_id).expr(self.expr).legend_format(self.legend)
        query.format(PromQueryFormat.HEATMAP if self.buckets else PromQueryFormat.TIME_SERIES)
        return query.instant() if self.now else query.range()


@dataclass(frozen=True)
class Hash:
    """A hash of counts in Redis: of each field its number; with `most`, a table of so many, the highest first."""

    key: str
    most: int | None = None

    @property
    def datasource(self) -> DataSourceRef:
        """Where it is asked."""
        return REDIS

    @property
    def transformations(self) -> tuple[DataTransformerConfig, ...]:
        """The plugin gives one row with a column for each field, in no order."""
        if self.most is None:
            return ()
        return (
            # One row a column: its name, and its highest value, which is its only one.
            DataTransformerConfig(id_val="reduce", options={"reducers": ["max"], "mode": "seriesToRows"}),
            DataTransformerConfig(id_val="sortBy", options={"sort": [{"field": "Max", "desc": True}], "fields": {}}),
            DataTransformerConfig(id_val="limit", options={"limitField": self.most}),
        )

    def builder(self, ref_id: str) -> "RedisCommand":
        """As the SDK wants it."""
        return RedisCommand({"command": "hgetall", "keyName": self.key}, ref_id)


@dataclass(frozen=True)
class Value:
    """One number in Redis."""

    key: str

    @property
    def datasource(self) -> DataSourceRef:
        """Where it is asked."""
        return REDIS

    @property
    def transformations(self) -> tuple[DataTransformerConfig, ...]:
        """The plugin gives a number where it can: nothing is to be done."""
        return ()

    def builder(self, ref_id: str) -> "RedisCommand":
        """As the SDK wants it."""
        return RedisCommand({"command": "get", "keyName": self.key}, ref_id)


# What a panel can ask.
AnyQuery = Query | Hash | Value


class RedisCommand(variants.Dataquery, cogbuilder.Builder[variants.Dataquery]):
    """A query of the plugin `redis-datasource`, for which the SDK has no type."""

    def __init__(self, command: dict[str, Any], ref_id: str) -> None:
        self._fields = {"type": "command", "query": "", "streaming": False, **command}
        self._ref_id = ref_id

    def build(self) -> "RedisCommand":
        """It is what it builds."""
        return self

    def to_json(self) -> dict[str, Any]:
        """For the SDK's encoder."""
        return {"datasource": REDIS, "refId": self._ref_id, **self._fields}
