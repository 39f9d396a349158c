import { css } from '@emotion/css'
import type { GrafanaTheme2 } from '@grafana/data'
import { useStyles2 } from '@grafana/ui'
import type { ReactNode } from 'react'

import { BOARDS, type BoardJson } from './board'

/** The frame of a dashboard: says what the page is, and links to the other dashboards. */
export function Page({ board, children }: { board: BoardJson; children: ReactNode }) {
  const styles = useStyles2(getStyles)
  return (
    <main className={styles.page}>
      <p className={styles.notice}>
        This is a test tool of dualpath, not Grafana. It draws the dashboard with components of Grafana.
        Panels with the mark “stand-in” look different in Grafana.
      </p>
      <header className={styles.header}>
        <h1 className={styles.title}>{board.title}</h1>
        {BOARDS.map((uid) => (
          <a key={uid} href={`?board=${uid}`}>
            {uid}
          </a>
        ))}
      </header>
      {children}
    </main>
  )
}

const getStyles = (theme: GrafanaTheme2) => ({
  page: css({ padding: theme.spacing(2), background: theme.colors.background.canvas }),
  notice: css({
    background: theme.colors.warning.transparent,
    border: `1px solid ${theme.colors.warning.border}`,
    borderRadius: theme.shape.radius.default,
    padding: theme.spacing(1),
  }),
  header: css({
    alignItems: 'baseline',
    display: 'flex',
    gap: theme.spacing(2),
    a: { color: theme.colors.text.link },
  }),
  title: css({ flexGrow: 1 }),
})
