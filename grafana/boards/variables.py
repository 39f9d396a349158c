"""The variables of the dashboards, and the data sources."""

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.dashboard import VariableHide, VariableOption, VariableRefresh, VariableSort

# Grafana's names of the data source types. The Redis type is a plugin.
PROMETHEUS_TYPE = "prometheus"
REDIS_TYPE = "redis-datasource"

PROMETHEUS = DataSourceRef(type_val=PROMETHEUS_TYPE, uid="${datasource}")
REDIS = DataSourceRef(type_val=REDIS_TYPE, uid="${redis}")


def datasource() -> builders.DatasourceVariable:
    """Selects the Prometheus data source."""
    return (
        builders.DatasourceVariable("datasource")
        .label("Prometheus")
        .description("The Prometheus that scrapes the services")
        .type(PROMETHEUS_TYPE)
        .current(_option("dualpath-prometheus", "Prometheus"))
    )


def redis() -> builders.DatasourceVariable:
    """Selects the Redis data source."""
    return (
        builders.DatasourceVariable("redis")
        .label("Redis")
        .description("The Redis with the tallies; needs the Redis plugin")
        .type(REDIS_TYPE)
        .current(_option("dualpath-redis", "Redis"))
    )


def route() -> builders.QueryVariable:
    """Selects the routes to show; default: all."""
    return (
        builders.QueryVariable("route")
        .label("Route")
        .description("The routes to show, side by side")
        .datasource(PROMETHEUS)
        .query({"query": "label_values(ingest_config_info, route)", "refId": "route"})
        .definition("label_values(ingest_config_info, route)")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def baseline() -> builders.CustomVariable:
    """Selects the baseline: the route that the others are compared with."""
    return (
        builders.CustomVariable("baseline")
        .label("Compared with")
        .description("The baseline of the differences")
        .values("rest,grpc,bridge")
        .current(_option("rest", "rest"))
        .options([_option(name, name, selected=name == "rest") for name in ("rest", "grpc", "bridge")])
    )


def window() -> builders.IntervalVariable:
    """Selects the time window of rates and quantiles."""
    return (
        builders.IntervalVariable("window")
        .label("Window")
        .description("The time window of rates and quantiles; a longer window is smoother and reacts later")
        .values("1m,5m,15m,1h")
        .current(_option("1m", "1m"))
        .options([_option(value, value, selected=value == "1m") for value in ("1m", "5m", "15m", "1h")])
        .hide(VariableHide.DONT_HIDE)
    )


def _option(value: str, text: str, *, selected: bool = True) -> VariableOption:
    return VariableOption(selected=selected, text=text, value=value)
