import { css } from '@emotion/css'
import {
  formattedValueToString,
  type GrafanaTheme2,
  type PanelProps,
  type ReduceDataOptions,
} from '@grafana/data'
import { useStyles2, useTheme2 } from '@grafana/ui'

import { displayValues } from './displayValues'

interface Options {
  reduceOptions: ReduceDataOptions
}

const ROW_HEIGHT = 24

/** Labelled shares, and a table with their values. */
export function PieStandIn(panel: PanelProps<Options>) {
  const { height, width } = panel
  const theme = useTheme2()
  const styles = useStyles2(getStyles)
  const values = displayValues(panel, theme).map(({ display }) => display)
  const total = values.reduce((sum, { numeric }) => sum + numeric, 0)
  const plot = height - (values.length + 1) * ROW_HEIGHT
  const radius = plot / 2
  // The end of each share, as a part of the circle.
  const ends = values.map((_, index) =>
    values.slice(0, index + 1).reduce((sum, { numeric }) => sum + numeric / total, 0),
  )
  return (
    <div>
      <svg width={width} height={plot} fontSize={12}>
        {values.map(({ title = '', color, numeric }, index) => {
          const [start, end] = [ends[index - 1] ?? 0, ends[index] ?? 1]
          const [x, y] = point((start + end) / 2, radius * 0.6)
          return (
            <g key={title} transform={`translate(${String(width / 2)} ${String(radius)})`}>
              <path d={wedge(start, end, radius)} fill={color} stroke={theme.colors.background.primary} />
              <text x={x} y={y} textAnchor="middle" fill={theme.colors.getContrastText(color ?? '')}>
                <tspan x={x}>{title}</tspan>
                <tspan x={x} dy="1.2em">
                  {percent(numeric / total)}
                </tspan>
              </text>
            </g>
          )
        })}
      </svg>
      <table className={styles}>
        <thead>
          <tr>
            <th>Name</th>
            <th>Value</th>
            <th>Percent</th>
          </tr>
        </thead>
        <tbody>
          {values.map((value) => (
            <tr key={value.title}>
              <td>{value.title}</td>
              <td>{formattedValueToString(value)}</td>
              <td>{percent(value.numeric / total)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

const percent = (share: number) => `${String(Math.round(share * 100))}%`

/** A point at a part of the circle, clockwise from the top. */
function point(share: number, radius: number): [number, number] {
  const angle = 2 * Math.PI * share
  return [radius * Math.sin(angle), -radius * Math.cos(angle)]
}

function wedge(start: number, end: number, radius: number): string {
  // An arc cannot be a full circle.
  const [x1, y1] = point(start, radius)
  const [x2, y2] = point(Math.min(end, start + 0.9999), radius)
  const large = end - start > 0.5 ? 1 : 0
  return `M 0 0 L ${String(x1)} ${String(y1)} A ${String(radius)} ${String(radius)} 0 ${String(large)} 1 ${String(x2)} ${String(y2)} Z`
}

const getStyles = (theme: GrafanaTheme2) =>
  css({
    fontSize: theme.typography.bodySmall.fontSize,
    width: '100%',
    tr: { height: ROW_HEIGHT },
    'th:not(:first-child), td:not(:first-child)': { textAlign: 'right' },
  })
