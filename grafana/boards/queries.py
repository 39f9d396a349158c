"""The queries of a panel: PromQL or a Redis command."""

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
    """A PromQL query.

    Attributes:
        expr: the PromQL expression.
        legend: the legend format.
        instant: True for an instant query at the end of the time range; False for a range query.
        buckets: True to format the result for a heat map.
    """

    expr: str
    legend: str
    instant: bool = False
    buckets: bool = False

    @property
    def datasource(self) -> DataSourceRef:
        """The data source of the query."""
        return PROMETHEUS

    @property
    def transformations(self) -> tuple[DataTransformerConfig, ...]:
        """The transformations of the result in Grafana: none."""
        return ()

    def builder(self, ref_id: str) -> prometheus.Dataquery:
        """Returns the query as a builder of the SDK."""
        query = prometheus.Dataquery().datasource(PROMETHEUS).ref_id(ref_id).expr(self.expr).legend_format(self.legend)
        query.format(PromQueryFormat.HEATMAP if self.buckets else PromQueryFormat.TIME_SERIES)
        return query.instant() if self.instant else query.range()


@dataclass(frozen=True)
class RedisHash:
    """A Redis hash of counts with few fields. Clients must not be able to add fields: the whole hash is read."""

    key: str

    @property
    def datasource(self) -> DataSourceRef:
        """The data source of the query."""
        return REDIS

    @property
    def transformations(self) -> tuple[DataTransformerConfig, ...]:
        """The transformations of the result in Grafana: none. The plugin returns one row with a column per field."""
        return ()

    def builder(self, ref_id: str) -> "RedisCommand":
        """Returns the query as a builder of the SDK."""
        return RedisCommand({"command": "hgetall", "keyName": self.key}, ref_id)


@dataclass(frozen=True)
class RedisTop:
    """The `count` highest scores of a sorted set, as a table in descending order."""

    key: str
    count: int

    @property
    def datasource(self) -> DataSourceRef:
        """The data source of the query."""
        return REDIS

    @property
    def transformations(self) -> tuple[DataTransformerConfig, ...]:
        """The transformations to a sorted table. The plugin returns one row with a column per member."""
        return (
            # Turn each column into a row with its name and its maximum, which is its only value.
            DataTransformerConfig(id_val="reduce", options={"reducers": ["max"], "mode": "seriesToRows"}),
            DataTransformerConfig(id_val="sortBy", options={"sort": [{"field": "Max", "desc": True}], "fields": {}}),
        )

    def builder(self, ref_id: str) -> "RedisCommand":
        """Returns the query as a builder of the SDK. Redis orders by score, ascending, and counts -1 from the end."""
        query = {"command": "zrange", "keyName": self.key, "zrangeQuery": "", "min": str(-self.count), "max": "-1"}
        return RedisCommand(query, ref_id)


@dataclass(frozen=True)
class RedisValue:
    """A single number in Redis."""

    key: str

    @property
    def datasource(self) -> DataSourceRef:
        """The data source of the query."""
        return REDIS

    @property
    def transformations(self) -> tuple[DataTransformerConfig, ...]:
        """The transformations of the result in Grafana: none."""
        return ()

    def builder(self, ref_id: str) -> "RedisCommand":
        """Returns the query as a builder of the SDK."""
        return RedisCommand({"command": "get", "keyName": self.key}, ref_id)


AnyQuery = Query | RedisHash | RedisTop | RedisValue


class RedisCommand(variants.Dataquery, cogbuilder.Builder[variants.Dataquery]):
    """A query of the plugin `redis-datasource`, for which the SDK has no type."""

    def __init__(self, command: dict[str, Any], ref_id: str) -> None:
        self._fields = {"type": "command", "query": "", "streaming": False, **command}
        self._ref_id = ref_id

    def build(self) -> "RedisCommand":
        """Returns itself: this class is both builder and query."""
        return self

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON fields for the SDK's encoder."""
        return {"datasource": REDIS, "refId": self._ref_id, **self._fields}
