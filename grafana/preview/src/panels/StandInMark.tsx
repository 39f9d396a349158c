import { css } from '@emotion/css'
import type { GrafanaTheme2 } from '@grafana/data'
import { useStyles2 } from '@grafana/ui'

/** Marks a panel that is not drawn by a component of Grafana. */
export function StandInMark() {
  return <span className={useStyles2(getStyles)}>stand-in</span>
}

const getStyles = (theme: GrafanaTheme2) =>
  css({
    background: theme.colors.warning.main,
    borderRadius: theme.shape.radius.default,
    color: theme.colors.warning.contrastText,
    fontSize: theme.typography.bodySmall.fontSize,
    padding: theme.spacing(0, 0.5),
  })
