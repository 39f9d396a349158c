import {
  getFieldDisplayValues,
  type FieldDisplay,
  type GrafanaTheme2,
  type PanelProps,
  type ReduceDataOptions,
} from '@grafana/data'

/** Returns the values of a panel that reduces each series, or shows each row, with text and colour. */
export function displayValues<Options extends { reduceOptions: ReduceDataOptions }>(
  panel: PanelProps<Options>,
  theme: GrafanaTheme2,
): FieldDisplay[] {
  const { data, fieldConfig, options, replaceVariables, timeZone } = panel
  const { reduceOptions } = options
  return getFieldDisplayValues({
    data: data.series,
    reduceOptions,
    fieldConfig,
    replaceVariables,
    theme,
    timeZone,
  })
}
