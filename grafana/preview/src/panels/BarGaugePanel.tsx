import {
  getDisplayValueAlignmentFactors,
  type PanelProps,
  type ReduceDataOptions,
  type VizOrientation,
} from '@grafana/data'
import type {
  BarGaugeDisplayMode,
  BarGaugeNamePlacement,
  BarGaugeValueMode,
  VizTextDisplayOptions,
} from '@grafana/schema'
import { BarGauge, useTheme2, VizRepeater } from '@grafana/ui'

import { displayValues } from './displayValues'

interface Options {
  reduceOptions: ReduceDataOptions
  text?: VizTextDisplayOptions
  orientation: VizOrientation
  displayMode: BarGaugeDisplayMode
  valueMode: BarGaugeValueMode
  namePlacement: BarGaugeNamePlacement
  showUnfilled: boolean
  minVizWidth: number
  minVizHeight: number
  maxVizHeight: number
}

/** A bar for each series or row. */
export function BarGaugePanel(panel: PanelProps<Options>) {
  const { data, height, options, renderCounter, width } = panel
  const theme = useTheme2()
  return (
    <VizRepeater
      getValues={() => displayValues(panel, theme)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      source={data}
      orientation={options.orientation}
      minVizWidth={options.minVizWidth}
      minVizHeight={options.minVizHeight}
      maxVizHeight={options.maxVizHeight}
      itemSpacing={10}
      {...{ width, height, renderCounter }}
      renderValue={({ value, width, height, orientation, alignmentFactors, count }) => (
        <BarGauge
          value={value.display}
          field={value.field}
          display={value.view?.getFieldDisplayProcessor(value.colIndex ?? 0)}
          text={options.text}
          displayMode={options.displayMode}
          valueDisplayMode={options.valueMode}
          namePlacement={options.namePlacement}
          showUnfilled={options.showUnfilled}
          isOverflow={height * count > panel.height}
          {...{ theme, width, height, orientation, alignmentFactors }}
        />
      )}
    />
  )
}
