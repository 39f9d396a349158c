import type { PanelProps } from '@grafana/data'
import type { VizLegendOptions, VizTooltipOptions } from '@grafana/schema'
import { TimeSeries, TooltipPlugin } from '@grafana/ui'

interface Options {
  legend: VizLegendOptions
  tooltip: VizTooltipOptions
}

/** Lines over time. */
export function TimeSeriesPanel({ data, options, ...place }: PanelProps<Options>) {
  const { width, height, timeRange, timeZone } = place
  return (
    <TimeSeries
      frames={data.series}
      structureRev={data.structureRev}
      legend={options.legend}
      options={options}
      {...{ width, height, timeRange, timeZone }}
    >
      {(config, aligned) => (
        <TooltipPlugin
          config={config}
          data={aligned}
          frames={data.series}
          mode={options.tooltip.mode}
          sortOrder={options.tooltip.sort}
          timeZone={timeZone}
        />
      )}
    </TimeSeries>
  )
}
