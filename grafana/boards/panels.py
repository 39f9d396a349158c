"""The panel types of the dashboards, with a common style. Every panel has a title, a description and a unit."""

from typing import TypeVar

from grafana_foundation_sdk.builders import bargauge, common, heatmap, piechart, stat, statetimeline, timeseries
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import common as m
from grafana_foundation_sdk.models import dashboard as d
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode, HeatmapColorScale
from grafana_foundation_sdk.models.piechart import PieChartLabels, PieChartLegendValues, PieChartType

from .queries import AnyQuery, Query

# The colours of the routes in the project's reports, and other colours of the same palette for the remaining services
# and for the stages. They are distinguishable for colour-blind readers.
ROUTE_COLOURS = {"rest": "#0072B2", "grpc": "#D55E00", "bridge": "#009E73"}
SERVICE_COLOURS = {"ingress": "#E69F00", "consumer": "#CC79A7", "viewer": "#56B4E9"}
STAGE_COLOURS = {
    "decode": "#56B4E9",
    "validate": "#F0E442",
    "encode": "#CC79A7",
    "publish": "#999999",
    "reply": "#E69F00",
}
# The colours of the series that a legend names.
COLOURS_OF_LEGEND = {
    "{{route}}": ROUTE_COLOURS,
    "{{service}}": ROUTE_COLOURS | SERVICE_COLOURS,
    "{{stage}}": STAGE_COLOURS,
}
# The dashes of series that have the same colour as another series of the panel.
DASHED = [8, 6]
DASHES_OF_STAGE = {"validate": [12, 4], "encode": [6, 4], "reply": [2, 4]}

SECONDS = "s"
SHARE = "percentunit"
VOTES_PER_SECOND = "suffix:votes/s"
COUNT = "short"

# Panel widths. A dashboard has 24 columns.
FULL, HALF, THIRD, QUARTER, SIXTH = 24, 12, 8, 6, 4
HEIGHT = 8
PIE_HEIGHT = 10

P = TypeVar("P", timeseries.Panel, stat.Panel, heatmap.Panel, bargauge.Panel, piechart.Panel, statetimeline.Panel)


def lines(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    span: int = THIRD,
    stacked: bool = False,
    limit: float | None = None,
    around_zero: bool = False,
    by_route: bool = False,
) -> timeseries.Panel:
    """Values over time.

    `limit` draws a threshold line. `by_route` gives each series whose name begins with a route the colour of the route.
    """
    panel = (
        timeseries.Panel()
        .fill_opacity(30 if stacked else 0)
        .line_width(1 if stacked else 2)
        .show_points(m.VisibilityMode.NEVER)
        .color_scheme(builders.FieldColor().mode(d.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .legend(
            common.VizLegendOptions()
            .display_mode(m.LegendDisplayMode.LIST)
            .placement(m.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(m.TooltipDisplayMode.MULTI).sort(m.SortOrder.DESCENDING))
    )
    if around_zero:
        panel.axis_centered_zero(True)
    else:
        panel.min(0)
    if stacked:
        panel.stacking(common.StackingConfig().mode(m.StackingMode.NORMAL).group("A"))
    if limit is not None:
        panel.thresholds(_steps((None, "transparent"), (limit, "red")))
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(m.GraphThresholdsStyleMode.DASHED))
    _distinguish(panel, queries, by_route=by_route)
    return _configure(panel, title, description, unit, queries, span)


def difference(title: str, description: str, unit: str, *queries: Query, span: int = THIRD) -> timeseries.Panel:
    """Values over time relative to a baseline: above zero is more than the baseline, below zero is less."""
    return lines(title, description, unit, *queries, span=span, around_zero=True)


def number(
    title: str,
    description: str,
    unit: str,
    *queries: AnyQuery,
    steps: tuple[tuple[float | None, str], ...] = ((None, "text"),),
    mappings: dict[str, tuple[str, str]] | None = None,
    span: int = SIXTH,
    height: int = 5,
) -> stat.Panel:
    """The last value in large type.

    `steps` colours it; with a single step, the colour is that of the route. `mappings` gives a text and a colour for a
    value.
    """
    panel = (
        stat.Panel()
        .graph_mode(m.BigValueGraphMode.NONE)
        .color_mode(m.BigValueColorMode.VALUE)
        .text_mode(m.BigValueTextMode.AUTO)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_steps(*steps))
        .color_scheme(builders.FieldColor().mode(d.FieldColorModeId.THRESHOLDS))
    )
    if mappings:
        panel.mappings([_value_map(mappings)])
    # A fixed colour would hide the colour of the steps.
    if len(steps) == 1:
        _colour_routes(panel)
    return _configure(panel, title, description, unit, queries, span, height=height)


def heat_map(title: str, description: str, query: Query, *, span: int = THIRD) -> heatmap.Panel:
    """The distribution of a histogram metric over time; the rows are its buckets."""
    panel = (
        heatmap.Panel()
        .calculate(False)
        .color(
            heatmap.HeatmapColorOptions()
            .mode(HeatmapColorMode.SCHEME)
            .scheme("Viridis")
            .scale(HeatmapColorScale.EXPONENTIAL)
            .exponent(0.5)
            .steps(64)
            .fill("dark-orange")
        )
        .y_axis(heatmap.YAxisConfig().unit(SECONDS).axis_placement(m.AxisPlacement.LEFT))
        .cell_gap(1)
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .tooltip(heatmap.HeatmapTooltip().mode(m.TooltipDisplayMode.SINGLE).y_histogram(True))
        .show_legend()
    )
    return _configure(panel, title, description, SECONDS, (query,), span)


def bars(
    title: str,
    description: str,
    unit: str,
    *queries: AnyQuery,
    span: int = HALF,
    height: int = HEIGHT,
    rows: bool = False,
) -> bargauge.Panel:
    """A bar for each series, or with `rows` for each row of a table."""
    panel = (
        bargauge.Panel()
        .orientation(m.VizOrientation.HORIZONTAL)
        .display_mode(m.BarGaugeDisplayMode.BASIC)
        .value_mode(m.BarGaugeValueMode.COLOR)
        .show_unfilled(True)
        .min(0)
        # One colour: the length is the value, and a colour of a palette could look like a threshold.
        .color_scheme(builders.FieldColor().mode(d.FieldColorModeId.FIXED).fixed_color("blue"))
        .reduce_options(_reduce(rows=rows))
        # Grafana reserves the width of the name at 12 pixels, without the space between letters, and would shorten long
        # names.
        .text(common.VizTextDisplayOptions().title_size(11))
    )
    return _configure(panel, title, description, unit, queries, span, height)


def pie(title: str, description: str, unit: str, *queries: AnyQuery, span: int = QUARTER) -> piechart.Panel:
    """Shares of a whole."""
    panel = (
        piechart.Panel()
        .pie_type(PieChartType.PIE)
        .display_labels([PieChartLabels.NAME, PieChartLabels.PERCENT])
        .legend(
            piechart.PieChartLegendOptions()
            .display_mode(m.LegendDisplayMode.TABLE)
            .placement(m.LegendPlacement.BOTTOM)
            .show_legend(True)
            .values([PieChartLegendValues.VALUE, PieChartLegendValues.PERCENT])
        )
        .reduce_options(_reduce(rows=False))
    )
    _colour_routes(panel)
    return _configure(panel, title, description, unit, queries, span, height=PIE_HEIGHT)


def states(
    title: str, description: str, mappings: dict[str, tuple[str, str]], *queries: AnyQuery, span: int = HALF
) -> statetimeline.Panel:
    """States over time. `mappings` gives a text and a colour for each value."""
    panel = (
        statetimeline.Panel()
        .mappings([_value_map(mappings)])
        .color_scheme(builders.FieldColor().mode(d.FieldColorModeId.THRESHOLDS))
        .show_value(m.VisibilityMode.NEVER)
        .row_height(0.8)
        .fill_opacity(80)
    )
    return _configure(panel, title, description, "none", queries, span)


def _configure(
    panel: P,
    title: str,
    description: str,
    unit: str,
    queries: tuple[AnyQuery, ...],
    span: int,
    height: int = HEIGHT,
) -> P:
    panel.title(title).description(description).unit(unit).span(span).height(height)
    panel.datasource(queries[0].datasource)
    for index, query in enumerate(queries):
        panel.with_target(query.builder("ABCDEFGH"[index]))
    for transformation in queries[0].transformations:
        panel.with_transformation(transformation)
    return panel


def _distinguish(panel: timeseries.Panel, queries: tuple[Query, ...], *, by_route: bool) -> None:
    """Gives the series fixed colours, and dashes if a panel has several series of a colour."""
    legends = [query.legend for query in queries]
    for legend, colours in COLOURS_OF_LEGEND.items():
        if legend in legends:
            for name, colour in colours.items():
                panel.override_by_name(name, [_colour(colour)])
    if by_route:
        for name, colour in ROUTE_COLOURS.items():
            panel.override_by_regexp(f"/^{name} /", [_colour(colour)])
    if "{{route}} {{stage}}" in legends:
        for stage, dash in DASHES_OF_STAGE.items():
            panel.override_by_regexp(f"/ {stage}$/", [_dash(dash)])
    if any(legend.endswith(("median", "configured")) for legend in legends):
        panel.override_by_regexp("/(median|configured)$/", [_dash(DASHED)])


def _colour_routes(panel: P) -> None:
    for name, colour in ROUTE_COLOURS.items():
        panel.override_by_name(name, [_colour(colour)])


def _colour(colour: str) -> d.DynamicConfigValue:
    return d.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})


def _dash(dash: list[int]) -> d.DynamicConfigValue:
    return d.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": dash})


def _reduce(*, rows: bool) -> common.ReduceDataOptions:
    options = common.ReduceDataOptions().calcs(["lastNotNull"])
    return options.values(True) if rows else options


def _steps(*steps: tuple[float | None, str]) -> builders.ThresholdsConfig:
    thresholds = [d.Threshold(value=value, color=colour) for value, colour in steps]
    return builders.ThresholdsConfig().mode(d.ThresholdsMode.ABSOLUTE).steps(thresholds)


def _value_map(mappings: dict[str, tuple[str, str]]) -> d.ValueMap:
    results = {
        value: d.ValueMappingResult(text=text, color=colour, index=index)
        for index, (value, (text, colour)) in enumerate(mappings.items())
    }
    return d.ValueMap(options=results)
