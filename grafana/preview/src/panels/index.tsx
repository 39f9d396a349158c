import { css } from '@emotion/css'
import {
  FieldType,
  PanelPlugin,
  type FieldConfigEditorBuilder,
  type PanelData,
  type PanelProps,
} from '@grafana/data'
import { sceneUtils } from '@grafana/scenes'
import {
  AxisPlacement,
  GraphDrawStyle,
  GraphGradientMode,
  GraphThresholdsStyleMode,
  LineInterpolation,
  ScaleDistribution,
  StackingMode,
  VisibilityMode,
} from '@grafana/schema'
import { useStyles2 } from '@grafana/ui'
import type { ComponentType } from 'react'

import type { PanelJson } from '../board'
import { BarGaugePanel } from './BarGaugePanel'
import { HeatmapStandIn } from './HeatmapStandIn'
import { PieStandIn } from './PieStandIn'
import { StatPanel } from './StatPanel'
import { StateTimelineStandIn } from './StateTimelineStandIn'
import { TimeSeriesPanel } from './TimeSeriesPanel'

/** Grafana's defaults of a time series, because the dashboards contain only the options that differ from them. */
const TIME_SERIES_DEFAULTS = {
  drawStyle: GraphDrawStyle.Line,
  lineInterpolation: LineInterpolation.Linear,
  lineWidth: 1,
  lineStyle: { fill: 'solid' },
  fillOpacity: 0,
  gradientMode: GraphGradientMode.None,
  showPoints: VisibilityMode.Auto,
  pointSize: 5,
  spanNulls: false,
  stacking: { mode: StackingMode.None, group: 'A' },
  axisPlacement: AxisPlacement.Auto,
  axisCenteredZero: false,
  scaleDistribution: { type: ScaleDistribution.Linear },
  hideFrom: { viz: false, legend: false, tooltip: false },
  thresholdsStyle: { mode: GraphThresholdsStyleMode.Off },
}

/** The panel types that npm has no component for. */
export const STAND_INS = new Set(['heatmap', 'state-timeline', 'piechart'])

const plugins = new Map<string, PanelPlugin>()

/** Throws an error if a panel sets an option of its fields that is unknown here: Grafana's packages would ignore it. */
export function checkFieldOptions({ type, title, fieldConfig }: PanelJson): void {
  const overrides = (fieldConfig?.overrides ?? []).flatMap(({ properties }) => properties)
  const custom = Object.keys(fieldConfig?.defaults.custom ?? {}).map((name) => `custom.${name}`)
  for (const id of [...overrides.map((property) => property.id), ...custom]) {
    if (!plugins.get(type)?.fieldConfigRegistry.getIfExists(id)) {
      throw new Error(`the preview does not know the option ${id} of the panel "${title}" (type ${type})`)
    }
  }
}

/** Registers a component for each panel type of the dashboards. */
export function registerPanels(): void {
  register('timeseries', TimeSeriesPanel, TIME_SERIES_DEFAULTS)
  register('stat', StatPanel)
  register('bargauge', BarGaugePanel)
  register('heatmap', HeatmapStandIn)
  register('state-timeline', StateTimelineStandIn, { fillOpacity: 70, lineWidth: 0 })
  register('piechart', PieStandIn)
}

function register<Options extends object>(
  pluginId: string,
  Panel: ComponentType<PanelProps<Options>>,
  defaults: Record<string, unknown> = {},
): void {
  const Drawn = (props: PanelProps<Options>) =>
    hasValues(props.data) ? (
      <div data-drawn>
        <Panel {...props} />
      </div>
    ) : (
      <Empty />
    )
  const useCustomConfig = (builder: FieldConfigEditorBuilder<object>) => {
    const editor = () => null
    for (const [path, defaultValue] of Object.entries(defaults)) {
      builder.addCustomEditor({
        id: path,
        path: path as never,
        name: path,
        editor,
        override: editor,
        process: (value: unknown) => value,
        shouldApply: () => true,
        defaultValue,
      })
    }
  }
  const plugin = new PanelPlugin<Options>(Drawn).useFieldConfig({ useCustomConfig })
  sceneUtils.registerRuntimePanelPlugin({ pluginId, plugin })
  plugins.set(pluginId, plugin)
}

function Empty() {
  return (
    <div className={useStyles2(getStyles)} data-empty>
      No data
    </div>
  )
}

const getStyles = () =>
  css({ alignItems: 'center', display: 'flex', height: '100%', justifyContent: 'center' })

function hasValues({ series }: PanelData): boolean {
  return series.some(({ fields }) =>
    fields.some(
      ({ type, values }) => type === FieldType.number && values.some((value) => Number.isFinite(value)),
    ),
  )
}
