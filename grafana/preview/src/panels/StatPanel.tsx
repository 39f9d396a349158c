import {
  getDisplayValueAlignmentFactors,
  VizOrientation,
  type PanelProps,
  type ReduceDataOptions,
} from '@grafana/data'
import type { VizTextDisplayOptions } from '@grafana/schema'
import { BigValue, useTheme2, VizRepeater, type BigValueColorMode, type BigValueGraphMode } from '@grafana/ui'
import type { BigValueJustifyMode, BigValueTextMode } from '@grafana/ui'

import { displayValues } from './displayValues'

interface Options {
  reduceOptions: ReduceDataOptions
  text?: VizTextDisplayOptions
  orientation: VizOrientation
  colorMode: BigValueColorMode
  graphMode: BigValueGraphMode
  justifyMode: BigValueJustifyMode
  textMode: BigValueTextMode
  wideLayout: boolean
}

/** The last value of each series in large type. */
export function StatPanel(panel: PanelProps<Options>) {
  const { data, height, options, renderCounter, width } = panel
  const theme = useTheme2()
  return (
    <VizRepeater
      getValues={() => displayValues(panel, theme)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      source={data}
      orientation={options.orientation}
      autoGrid
      itemSpacing={3}
      {...{ width, height, renderCounter }}
      renderValue={({ value, width, height, alignmentFactors, count }) => (
        <BigValue
          value={value.display}
          text={options.text}
          colorMode={options.colorMode}
          graphMode={options.graphMode}
          justifyMode={options.justifyMode}
          textMode={options.textMode}
          disableWideLayout={!options.wideLayout}
          {...{ theme, width, height, alignmentFactors, count }}
        />
      )}
    />
  )
}
