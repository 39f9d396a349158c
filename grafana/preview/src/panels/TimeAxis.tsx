import { dateTimeFormat, type PanelProps } from '@grafana/data'
import { useTheme2 } from '@grafana/ui'

/** The height of the axis in pixels. */
export const TIME_AXIS_HEIGHT = 20
/** The number of labels. */
const LABELS = 4

/** The time axis of a stand-in, as part of an SVG drawing. */
export function TimeAxis(
  props: { x: number; y: number; width: number } & Pick<PanelProps, 'timeRange' | 'timeZone'>,
) {
  const theme = useTheme2()
  const [from, to] = [props.timeRange.from.valueOf(), props.timeRange.to.valueOf()]
  return Array.from({ length: LABELS }, (_, index) => {
    const share = (index + 0.5) / LABELS
    return (
      <text
        key={index}
        x={props.x + props.width * share}
        y={props.y + TIME_AXIS_HEIGHT - 4}
        textAnchor="middle"
        fill={theme.colors.text.secondary}
        fontSize={12}
      >
        {dateTimeFormat(from + (to - from) * share, { format: 'HH:mm:ss', timeZone: props.timeZone })}
      </text>
    )
  })
}
