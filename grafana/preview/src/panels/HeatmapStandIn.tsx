import {
  FieldType,
  getValueFormat,
  formattedValueToString,
  type DataFrame,
  type PanelProps,
} from '@grafana/data'
import { useTheme2 } from '@grafana/ui'

import { TIME_AXIS_HEIGHT, TimeAxis } from './TimeAxis'

interface Options {
  yAxis: { unit: string }
  color: { exponent: number }
  cellGap: number
  filterValues: { le: number }
}

const LABEL_WIDTH = 64
/** The lowest distance of two labels in pixels. */
const LABEL_HEIGHT = 14
/** The colour map Viridis, at equal distances. */
const VIRIDIS = ['#440154', '#3b528b', '#21918c', '#5ec962', '#fde725']

/** Coloured cells by bucket and time. */
export function HeatmapStandIn({ data, options, width, height, timeRange, timeZone }: PanelProps<Options>) {
  const theme = useTheme2()
  const [from, to] = [timeRange.from.valueOf(), timeRange.to.valueOf()]
  const buckets = data.series.map(readBucket)
  const largest = Math.max(...buckets.flatMap(({ cells }) => cells.map(({ count }) => count)))
  const plot = { x: LABEL_WIDTH, width: width - LABEL_WIDTH, height: height - TIME_AXIS_HEIGHT }
  const rowHeight = plot.height / buckets.length
  const labelled = Math.ceil(LABEL_HEIGHT / rowHeight)
  const format = getValueFormat(options.yAxis.unit)
  const xOf = (time: number) => plot.x + ((time - from) / (to - from)) * plot.width
  return (
    <svg width={width} height={height}>
      {buckets.map(({ bound, interval, cells }, row) => {
        const top = plot.height - (row + 1) * rowHeight
        const label = Number.isFinite(bound) ? formattedValueToString(format(bound)) : '+Inf'
        return (
          <g key={bound}>
            {row % labelled === 0 && (
              <text
                x={LABEL_WIDTH - 6}
                // The label is at the upper bound of the bucket, but inside the drawing.
                y={Math.max(top + 4, 10)}
                textAnchor="end"
                fill={theme.colors.text.secondary}
                fontSize={12}
              >
                {label}
              </text>
            )}
            {cells
              .filter(({ count, time }) => count > options.filterValues.le && time >= from)
              .map(({ time, count }) => (
                <rect
                  key={time}
                  // A sample counts the time before it.
                  x={Math.max(xOf(time - interval), plot.x)}
                  y={top}
                  width={Math.max(xOf(time) - Math.max(xOf(time - interval), plot.x) - options.cellGap, 1)}
                  height={Math.max(rowHeight - options.cellGap, 1)}
                  fill={viridis((count / largest) ** options.color.exponent)}
                >
                  <title>{`${label}: ${count.toFixed(1)}`}</title>
                </rect>
              ))}
          </g>
        )
      })}
      <TimeAxis x={plot.x} y={plot.height} width={plot.width} timeRange={timeRange} timeZone={timeZone} />
    </svg>
  )
}

function readBucket({ name, fields }: DataFrame) {
  const time = fields.find(({ type }) => type === FieldType.time)
  const counts = fields.find(({ type }) => type === FieldType.number)?.values ?? []
  return {
    bound: Number((name ?? '').replace('Inf', 'Infinity')),
    interval: time?.config.interval ?? 0,
    cells: (time?.values ?? []).map((at: number, index) => ({ time: at, count: counts[index] as number })),
  }
}

function viridis(share: number): string {
  const position = share * (VIRIDIS.length - 1)
  const index = Math.min(Math.floor(position), VIRIDIS.length - 2)
  const mix = Math.round((position - index) * 100)
  return `color-mix(in srgb, ${VIRIDIS[index + 1] ?? ''} ${String(mix)}%, ${VIRIDIS[index] ?? ''})`
}
