import { FieldType, getFieldDisplayName, type DataFrame, type PanelProps } from '@grafana/data'
import { useTheme2 } from '@grafana/ui'

import { TIME_AXIS_HEIGHT, TimeAxis } from './TimeAxis'

interface Options {
  rowHeight: number
}

const LABEL_WIDTH = 160
const LEGEND_HEIGHT = 20

interface Segment {
  value: number
  start: number
  end: number
}

/** A row of coloured bars for each series, and the meaning of the colours. */
export function StateTimelineStandIn({
  data,
  options,
  width,
  height,
  timeRange,
  timeZone,
}: PanelProps<Options>) {
  const theme = useTheme2()
  const [from, to] = [timeRange.from.valueOf(), timeRange.to.valueOf()]
  const plot = {
    x: LABEL_WIDTH,
    width: width - LABEL_WIDTH,
    height: height - TIME_AXIS_HEIGHT - LEGEND_HEIGHT,
  }
  const row = plot.height / data.series.length
  const xOf = (time: number) =>
    plot.x + ((Math.min(Math.max(time, from), to) - from) / (to - from)) * plot.width
  const states = new Map<string, string>()
  const rows = data.series.map((frame) => {
    const field = frame.fields.find(({ type }) => type === FieldType.number)
    const bars = segments(frame).map((segment) => {
      const { color = theme.colors.text.disabled, text } = field?.display?.(segment.value) ?? { text: '' }
      states.set(text, color)
      return { ...segment, color, text }
    })
    return { name: field ? getFieldDisplayName(field, frame, data.series) : '', bars }
  })
  return (
    <svg width={width} height={height} fontSize={12}>
      {rows.map(({ name, bars }, index) => (
        <g key={name}>
          <text
            x={LABEL_WIDTH - 8}
            y={(index + 0.5) * row + 4}
            textAnchor="end"
            fill={theme.colors.text.primary}
          >
            {name}
          </text>
          {bars.map(({ start, end, color, text }) => (
            <rect
              key={start}
              x={xOf(start)}
              y={index * row + (row * (1 - options.rowHeight)) / 2}
              width={Math.max(xOf(end) - xOf(start), 1)}
              height={row * options.rowHeight}
              fill={color}
            >
              <title>{`${name}: ${text}`}</title>
            </rect>
          ))}
        </g>
      ))}
      <TimeAxis x={plot.x} y={plot.height} width={plot.width} timeRange={timeRange} timeZone={timeZone} />
      {[...states].map(([text, color], index) => (
        <g key={text} transform={`translate(${String(index * 100)} ${String(height - LEGEND_HEIGHT)})`}>
          <rect y={8} width={14} height={4} fill={color} />
          <text x={20} y={14} fill={theme.colors.text.primary}>
            {text}
          </text>
        </g>
      ))}
    </svg>
  )
}

/** Joins neighbouring samples of the same value. A gap in the samples is a gap in the bars. */
function segments({ fields }: DataFrame): Segment[] {
  const time = fields.find(({ type }) => type === FieldType.time)
  const values: number[] = fields.find(({ type }) => type === FieldType.number)?.values ?? []
  const interval = time?.config.interval ?? 0
  const joined: Segment[] = []
  ;(time?.values ?? []).forEach((start: number, index) => {
    const value = values[index] ?? NaN
    const last = joined.at(-1)
    if (last?.value === value && last.end >= start) last.end = start + interval
    else joined.push({ value, start, end: start + interval })
  })
  return joined
}
