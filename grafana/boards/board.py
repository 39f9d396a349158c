"""What all boards have in common: their frame, their links, and ids that stay."""

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
    """A board of rows with a title each; a person's links to `uid` and to panels stay right as long as both do."""
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
            builders.DashboardLink("Boards")
            .type(DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .tooltip("The other boards, with the same time and choices")
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
