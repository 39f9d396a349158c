import { css } from '@emotion/css'
import type { GrafanaTheme2 } from '@grafana/data'
import { useStyles2 } from '@grafana/ui'

import { BOARDS, type BoardJson } from './board'

/** The head of the page: says what the page is, and links to the other dashboards. */
export function Header({ board }: { board: BoardJson }) {
  const styles = useStyles2(getStyles)
  return (
    <header className={styles.header}>
      <p className={styles.notice}>
        This is a test tool of dualpath, not Grafana. It draws the dashboard with components of Grafana.
        Panels that are marked as stand-ins look different in Grafana.
      </p>
      <h1>{board.title}</h1>
      <nav className={styles.links}>
        {BOARDS.map((uid) => (
          <a key={uid} href={`?board=${uid}`}>
            {uid}
          </a>
        ))}
      </nav>
    </header>
  )
}

const getStyles = (theme: GrafanaTheme2) => ({
  header: css({ marginBottom: theme.spacing(2) }),
  notice: css({
    background: theme.colors.warning.transparent,
    border: `1px solid ${theme.colors.warning.border}`,
    borderRadius: theme.shape.radius.default,
    marginBottom: theme.spacing(2),
    padding: theme.spacing(1),
  }),
  links: css({ display: 'flex', gap: theme.spacing(2), a: { color: theme.colors.text.link } }),
})
