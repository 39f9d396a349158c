import uPlot from 'uplot'

import { ROUTES, type Comparison, type Measure, type Route } from '../api/types'

/** The colours of a plot, read from the style sheet of the current theme. */
export interface PlotColors {
  text: string
  grid: string
  routes: Record<Route, string>
}

/** Each line has a dash pattern and a colour, so that lines differ in print and with any colour vision. */
const DASHES: Record<Route, number[]> = { rest: [], grpc: [8, 4], bridge: [2, 3] }

const FONT = '11px system-ui, sans-serif'

/** One series per route, over the times of all routes. The line is interrupted where a route has no value. */
export function plotData(series: Comparison['series'], measure: Measure): uPlot.AlignedData {
  const times = seriesTimes(series)
  const columns = ROUTES.map((route) => {
    const points = series.find((one) => one.route === route)?.points ?? []
    const values = new Map(points.map((point) => [point.t, point[measure]]))
    return times.map((time) => values.get(time) ?? null)
  })
  return [times.map((time) => Date.parse(time) / 1000), ...columns]
}

/** All times at which any route has a point, in order. */
export function seriesTimes(series: Comparison['series']): string[] {
  return [...new Set(series.flatMap((one) => one.points.map((point) => point.t)))].sort()
}

/** The indexes of values without neighbours. No line leads to them, so the plot draws a dot. */
export function isolatedIndexes(values: ArrayLike<number | null | undefined> = []): number[] {
  const has = (index: number) => (values[index] ?? null) !== null
  return Array.from(values, (_, index) => index).filter(
    (index) => has(index) && !has(index - 1) && !has(index + 1),
  )
}

/**
 * The options of the plot. `formatValue` formats a value; `clock` formats a time in seconds since 1970, with or without
 * seconds (`toSecond`).
 */
export function plotOptions(
  size: { width: number; height: number },
  colors: PlotColors,
  formatValue: (value: number | null) => string,
  clock: (seconds: number, toSecond: boolean) => string,
): uPlot.Options {
  const axis = {
    stroke: colors.text,
    font: FONT,
    grid: { stroke: colors.grid, width: 1 },
    ticks: { stroke: colors.grid },
  }
  return {
    ...size,
    scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.08 : 1] } },
    // uPlot's legend is not accessible to screen readers. The page has its own legend and a table.
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 7 } },
    series: [
      {},
      ...ROUTES.map((route) => ({
        label: route,
        stroke: colors.routes[route],
        width: 2,
        dash: DASHES[route],
        points: {
          show: false,
          size: 6,
          fill: colors.routes[route],
          filter: (self: uPlot, index: number) => isolatedIndexes(self.data[index]),
        },
      })),
    ],
    axes: [
      {
        ...axis,
        space: 52,
        values: (_, times, __, ___, step) => times.map((time) => clock(time, step < 60)),
      },
      { ...axis, size: 56, values: (_, values) => values.map(formatValue) },
    ],
  }
}
