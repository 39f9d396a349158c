// The page: `?board=dualpath-latency` selects the dashboard. `from`, `to` and `var-NAME` are those of Grafana's links;
// `theme=dark` selects the dark theme.
import { ThemeContext } from '@grafana/data'
import { GlobalStyles } from '@grafana/ui'
import { sceneUtils } from '@grafana/scenes'
import { createRoot } from 'react-dom/client'

import { BOARDS, loadBoard } from './board'
import { setUpGrafana } from './grafana'
import { Page } from './Page'
import { registerPanels } from './panels'
import { buildScene } from './scene'
import { PrometheusDataSource } from './sources/prometheus'
import { RedisDataSource } from './sources/redis'

const query = new URLSearchParams(location.search)
const root = createRoot(document.getElementById('root') as HTMLElement)

async function start(): Promise<void> {
  const theme = await setUpGrafana(query.get('theme') === 'dark' ? 'dark' : 'light', [
    new PrometheusDataSource('dualpath-prometheus', 'Prometheus'),
    new RedisDataSource('dualpath-redis', 'Redis'),
  ])
  registerPanels()
  await loadFonts()
  const board = await loadBoard(query.get('board') ?? BOARDS[0] ?? '')
  // Grafana's reader of the address ignores an empty interval, which turns refreshes off.
  const scene = buildScene({ ...board, refresh: query.get('refresh') ?? board.refresh })
  sceneUtils.syncStateFromSearchParams(scene, query)
  root.render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <Page board={board}>
        <scene.Component model={scene} />
      </Page>
    </ThemeContext.Provider>,
  )
}

/** Loads the fonts of Grafana before a component measures text. */
async function loadFonts(): Promise<void> {
  const files = { 400: 'Inter-Regular', 500: 'Inter-Medium' }
  const faces = Object.entries(files).map(
    ([weight, file]) => new FontFace('Inter', `url(/public/fonts/inter/${file}.woff2)`, { weight }),
  )
  for (const face of faces) document.fonts.add(await face.load())
}

start().catch((error: unknown) => {
  root.render(<p role="alert">{String(error)}</p>)
})
