// Builds the scene of a dashboard from its JSON.
import {
  behaviors,
  CustomVariable,
  DataSourceVariable,
  EmbeddedScene,
  IntervalVariable,
  LocalValueVariable,
  QueryVariable,
  GRID_CELL_HEIGHT,
  SceneByVariableRepeater,
  SceneControlsSpacer,
  SceneCSSGridLayout,
  SceneDataTransformer,
  SceneGridItem,
  SceneGridLayout,
  SceneGridRow,
  SceneQueryRunner,
  SceneRefreshPicker,
  SceneTimePicker,
  SceneTimeRange,
  SceneVariableSet,
  VariableValueSelectors,
  VizPanel,
  type SceneVariable,
} from '@grafana/scenes'
import { DashboardCursorSync } from '@grafana/schema'

import type { BoardJson, PanelJson, VariableJson } from './board'
import { checkFieldOptions, STAND_INS } from './panels'
import { StandInMark } from './panels/StandInMark'

/** The gap between two cells of Grafana's grid in pixels. */
const GRID_GAP = 8

/** Builds the scene of a dashboard. */
export function buildScene(board: BoardJson): EmbeddedScene {
  return new EmbeddedScene({
    $timeRange: new SceneTimeRange({ from: board.time.from, to: board.time.to }),
    $variables: new SceneVariableSet({ variables: board.templating.list.map(buildVariable) }),
    $behaviors: [new behaviors.CursorSync({ sync: DashboardCursorSync.Crosshair })],
    controls: [
      new VariableValueSelectors({}),
      new SceneControlsSpacer(),
      new SceneTimePicker({}),
      new SceneRefreshPicker({ refresh: board.refresh ?? '' }),
    ],
    // All panels are drawn, also below the visible part: the picture shows the whole page.
    body: new SceneGridLayout({ isDraggable: false, isLazy: false, children: buildRows(board.panels) }),
  })
}

function buildRows(panels: PanelJson[]): SceneGridRow[] {
  const rows: SceneGridRow[] = []
  for (const panel of panels) {
    const place = { x: panel.gridPos.x, y: panel.gridPos.y, width: panel.gridPos.w, height: panel.gridPos.h }
    const row = rows.at(-1)
    if (panel.type === 'row') {
      rows.push(new SceneGridRow({ ...place, title: panel.title, isCollapsible: false, children: [] }))
    } else if (row) {
      const body = panel.repeat === undefined ? buildPanel(panel) : buildRepeated(panel, panel.repeat)
      row.setState({ children: [...row.state.children, new SceneGridItem({ ...place, body })] })
    } else {
      throw new Error(`the panel "${panel.title}" is above the first row`)
    }
  }
  return rows
}

function buildPanel(panel: PanelJson, copy?: { variable: string; value: string }): VizPanel {
  checkFieldOptions(panel)
  const queries = new SceneQueryRunner({
    datasource: panel.datasource,
    queries: panel.targets ?? [],
    maxDataPointsFromWidth: true,
  })
  return new VizPanel({
    key: copy ? `panel-${String(panel.id)}-${copy.value}` : `panel-${String(panel.id)}`,
    pluginId: panel.type,
    title: panel.title,
    titleItems: STAND_INS.has(panel.type) ? <StandInMark /> : undefined,
    description: panel.description,
    options: panel.options ?? {},
    fieldConfig: panel.fieldConfig ?? { defaults: {}, overrides: [] },
    $data: panel.transformations
      ? new SceneDataTransformer({ $data: queries, transformations: panel.transformations })
      : queries,
    $variables:
      copy &&
      new SceneVariableSet({
        variables: [new LocalValueVariable({ name: copy.variable, value: copy.value, text: copy.value })],
      }),
  })
}

/** A row of copies, one for each value of the variable. */
function buildRepeated(panel: PanelJson, variable: string): SceneByVariableRepeater {
  const height = panel.gridPos.h * (GRID_CELL_HEIGHT + GRID_GAP) - GRID_GAP
  return new SceneByVariableRepeater({
    variableName: variable,
    body: new SceneCSSGridLayout({
      templateColumns: 'repeat(auto-fit, minmax(250px, 1fr))',
      autoRows: `${String(height)}px`,
      children: [],
    }),
    getLayoutChild: ({ value }) => buildPanel(panel, { variable, value: String(value) }),
  })
}

function buildVariable(variable: VariableJson): SceneVariable {
  const { name, label, description, query } = variable
  const common = { name, label, description, value: variable.current.value, text: variable.current.text }
  const text = typeof query === 'string' ? query : ''
  switch (variable.type) {
    case 'datasource':
      return new DataSourceVariable({ ...common, pluginId: text })
    case 'custom':
      return new CustomVariable({ ...common, query: text })
    case 'interval':
      return new IntervalVariable({
        name,
        label,
        description,
        intervals: text.split(','),
        value: String(common.value),
      })
    case 'query':
      return new QueryVariable({
        ...common,
        query,
        datasource: variable.datasource ?? null,
        refresh: variable.refresh,
        sort: variable.sort,
        isMulti: variable.multi,
        includeAll: variable.includeAll,
      })
    default:
      throw new Error(`the preview has no variable of the type ${variable.type}`)
  }
}
