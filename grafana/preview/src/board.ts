import type { DataTransformerConfig, FieldConfigSource } from '@grafana/data'
import type { SceneDataQuery } from '@grafana/scenes'
import type { DataSourceRef, VariableRefresh, VariableSort } from '@grafana/schema'

/** A panel or a row of a dashboard, as far as the preview reads it. */
export interface PanelJson {
  id: number
  type: string
  title: string
  description?: string
  gridPos: { x: number; y: number; w: number; h: number }
  datasource?: DataSourceRef
  targets?: SceneDataQuery[]
  transformations?: DataTransformerConfig[]
  fieldConfig?: FieldConfigSource
  options?: Record<string, unknown>
  repeat?: string
}

/** A variable of a dashboard. */
export interface VariableJson {
  type: string
  name: string
  label?: string
  description?: string
  query: string | SceneDataQuery
  current: { text: string | string[]; value: string | string[] }
  datasource?: DataSourceRef
  refresh?: VariableRefresh
  sort?: VariableSort
  multi?: boolean
  includeAll?: boolean
}

/** A dashboard in the classic format. */
export interface BoardJson {
  uid: string
  title: string
  description?: string
  refresh?: string
  time: { from: string; to: string }
  panels: PanelJson[]
  templating: { list: VariableJson[] }
}

/** The dashboards, in the order of their links. */
export const BOARDS = ['dualpath-latency', 'dualpath-tallies', 'dualpath-pipeline']

/** Loads a committed dashboard. */
export async function loadBoard(uid: string): Promise<BoardJson> {
  const response = await fetch(`/dashboards/${uid}.json`)
  if (!response.ok) throw new Error(`the dashboard ${uid} does not exist: ${BOARDS.join(', ')}`)
  return (await response.json()) as BoardJson
}
