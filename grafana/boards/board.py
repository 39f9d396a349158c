"""The common parts of all dashboards: settings, links and stable panel ids."""

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.common import TimeZoneBrowser
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    Panel,
    VariableModel,
)

TAG = "dualpath"

Row = tuple[str, list[Builder[Panel]]]


def assemble(
    uid: str, title: str, description: str, variables: list[Builder[VariableModel]], rows: list[Row]
) -> Dashboard:
    """Builds a dashboard from titled rows of panels.

    Bookmarks contain the `uid` and the number of a panel. They break if the `uid` or the order of the panels changes.
    """
    board = (
        builders.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .timezone(TimeZoneBrowser)
        .time("now-15m", "now")
        .refresh("5s")
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .variables(variables)
        .link(
            builders.DashboardLink("Dashboards")
            .type(DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .tooltip("The other dashboards, with the same time range and variables")
            .icon("external link")
            .include_vars(True)
            .keep_time(True)
        )
    )
    for row_title, panels in rows:
        board.with_row(builders.Row(row_title))
        for panel in panels:
            board.with_panel(panel)
    built = board.build()
    for number, panel in enumerate(built.panels or [], start=1):
        panel.id_val = number
    return built
