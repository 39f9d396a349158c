import uPlot from 'uplot'

import { ROUTES, type Comparison, type Measure, type Route } from '../api/types'

/** What a plot is drawn with; read from the style sheet, which alone knows the theme. */
export interface Ink {
  text: string
  grid: string
  routes: Record<Route, string>
}

/** Dashes beside the colours: lines are told apart in print and with any colour vision. */
const DASHES: Record<Route, number[]> = { rest: [], grpc: [8, 4], bridge: [2, 3] }

const FONT = '11px system-ui, sans-serif'

/** One series a route, over the times of all; where a route has no value the line is broken. */
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

/** Places of values between two that are missing: no line leads to them, so they get a dot. */
export function lone(values: ArrayLike<number | null | undefined> = []): number[] {
  const has = (index: number) => (values[index] ?? null) !== null
  return Array.from(values, (_, index) => index).filter(
    (index) => has(index) && !has(index - 1) && !has(index + 1),
  )
}

/**
 * How the plot looks. `write` puts down a value, `clock` a time in seconds since 1970, to the second (`fine`) or to the
 * minute.
 */
export function plotOptions(
  size: { width: number; height: number },
  ink: Ink,
  write: (value: number | null) => string,
  clock: (seconds: number, fine: boolean) => string,
): uPlot.Options {
  const axis = {
    stroke: ink.text,
    font: FONT,
    grid: { stroke: ink.grid, width: 1 },
    ticks: { stroke: ink.grid },
  }
  return {
    ...size,
    scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.08 : 1] } },
    // Its own legend is no text for a screen reader; the page has one, and a table.
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 7 } },
    series: [
      {},
      ...ROUTES.map((route) => ({
        label: route,
        stroke: ink.routes[route],
        width: 2,
        dash: DASHES[route],
        points: {
          show: false,
          size: 6,
          fill: ink.routes[route],
          filter: (self: uPlot, index: number) => lone(self.data[index]),
        },
      })),
    ],
    axes: [
      {
        ...axis,
        space: 52,
        values: (_, times, __, ___, step) => times.map((time) => clock(time, step < 60)),
      },
      { ...axis, size: 56, values: (_, values) => values.map(write) },
    ],
  }
}
