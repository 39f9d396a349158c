"""The committed dashboards: current, valid by Grafana's schema, and complete."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from boards import boards, to_json_text, variables

import boardfiles
from boardfiles import FILES, GRAFANA

# Bookmarks contain these ids.
UIDS = {"dualpath-latency", "dualpath-tallies", "dualpath-pipeline"}


def test_committed_files_are_current() -> None:
    written = {f"{board.uid}.json": to_json_text(board) for board in boards()}
    committed = {path.name: path.read_text(encoding="utf-8") for path in FILES}
    assert committed == written, "run `python -m boards` in grafana/"


def test_dashboard_and_panel_ids_are_stable_and_unique() -> None:
    assert {boardfiles.board(path)["uid"] for path in FILES} == UIDS
    for path in FILES:
        board = boardfiles.board(path)
        assert path.stem == board["uid"]
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids)
        assert board["links"][0]["tags"] == board["tags"], "the links select the other dashboards by this tag"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_sdk_round_trip_is_lossless(path: Path) -> None:
    register_default_plugins()
    body = boardfiles.board(path)
    read = json.loads(JSONEncoder().encode(Dashboard.from_json(body)))
    assert read == body


def _schema_check(*paths: Path) -> subprocess.CompletedProcess:
    command = ["go", "run", ".", *paths]
    return subprocess.run(command, cwd=GRAFANA / "schema-check", capture_output=True, text=True, check=False)  # noqa: S603


def test_dashboards_are_valid_by_grafanas_schema() -> None:
    result = _schema_check(*FILES)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("where", "value", "complaint"),
    [
        (("panels", 1, "tilte"), "a typo", "unexpected field 'tilte'"),
        (("panels", 1, "options", "graphMod"), "none", "unexpected field 'graphMod'"),
        (("panels", 1, "targets", 0, "expression"), "up", "unexpected field 'expression'"),
        (("panels", 1, "gridPos", "w"), "wide", "gridPos"),
        (("panels", 1, "gridPos", "w"), 25, "must be <= 24"),
        (("panels", 1, "type"), "speedometer", "no panel of type"),
    ],
)
def test_schema_check_reports_errors(
    where: tuple[str | int, ...], value: str | int, complaint: str, tmp_path: Path
) -> None:
    body = boardfiles.board(FILES[0])
    *parents, field = where
    node = body
    for key in parents:
        node = node[key]
    node[field] = value
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps(body))
    result = _schema_check(broken)
    assert result.returncode == 1
    assert complaint in result.stderr


def test_every_panel_has_a_description_and_a_unit() -> None:
    for panel in boardfiles.panels():
        assert len(panel.body["description"]) > len("short"), panel
        assert panel.body["fieldConfig"]["defaults"]["unit"], panel
        assert panel.targets, panel
        assert [target["refId"] for target in panel.targets] == [*"ABCDEFGH"][: len(panel.targets)], panel


def test_titles_are_unique() -> None:
    for path in FILES:
        titles = [panel["title"] for panel in boardfiles.board(path)["panels"]]
        assert len(set(titles)) == len(titles), path.stem
    names = [boardfiles.board(path)["title"] for path in FILES]
    assert len(set(names)) == len(names)


def test_panels_do_not_overlap() -> None:
    for path in FILES:
        taken: set[tuple[int, int]] = set()
        for panel in boardfiles.board(path)["panels"]:
            at = panel["gridPos"]
            assert at["x"] + at["w"] <= 24, panel["title"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            assert not cells & taken, panel["title"]
            taken |= cells
            # The copies of a repeated panel need a full row.
            assert "repeat" not in panel or at["w"] == 24, panel["title"]


def test_provisioned_data_sources_match_the_dashboards() -> None:
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/dualpath.yml").read_text())["datasources"]
    types = {source["uid"]: source["type"] for source in sources}
    chosen = {
        variable["current"]["value"]: variable["query"]
        for path in FILES
        for variable in boardfiles.board(path)["templating"]["list"]
        if variable["type"] == "datasource"
    }
    assert chosen == types
    assert set(types.values()) == {variables.PROMETHEUS_TYPE, variables.REDIS_TYPE}
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/dualpath.yml").read_text())["providers"]
    assert provider["options"]["path"] in (GRAFANA / "README.md").read_text()


def test_preview_has_the_provisioned_scrape_interval() -> None:
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/dualpath.yml").read_text())["datasources"]
    (provisioned,) = [interval for source in sources if (interval := source["jsonData"].get("timeInterval"))]
    code = (GRAFANA / "preview/src/sources/prometheus.ts").read_text()
    assert re.findall(r"SCRAPE_INTERVAL = '(.*)'", code) == [provisioned]


def test_kustomization_contains_every_dashboard() -> None:
    maps = yaml.safe_load((GRAFANA / "kustomization.yaml").read_text())["configMapGenerator"]
    files = {file for config_map in maps for file in config_map["files"]}
    assert files >= {str(path.relative_to(GRAFANA)) for path in FILES}
    assert all((GRAFANA / file).exists() for file in files)
