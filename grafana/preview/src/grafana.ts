// The services that Grafana's packages expect from Grafana, reduced to what the dashboards need.
import {
  createTheme,
  DataTransformerID,
  displayNameOverrideProcessor,
  EventBusSrv,
  FieldConfigProperty,
  identityOverrideProcessor,
  LoadingState,
  numberOverrideProcessor,
  standardFieldConfigEditorRegistry,
  standardTransformers,
  standardTransformersRegistry,
  thresholdsOverrideProcessor,
  unitOverrideProcessor,
  valueMappingsOverrideProcessor,
  type DataQueryRequest,
  type DataSourceApi,
  type FieldConfigPropertyItem,
  type GrafanaTheme2,
  type PanelData,
  type TransformerRegistryItem,
} from '@grafana/data'
import { initPluginTranslations } from '@grafana/i18n'
import {
  config,
  RuntimeDataSource,
  setAppEvents,
  setDataSourceSrv,
  setPluginImportUtils,
  setRunRequest,
  setTemplateSrv,
  toDataQueryError,
} from '@grafana/runtime'
import { registerRuntimeDataSourceInstance } from '@grafana/runtime/unstable'
import { sceneGraph, type SceneObject } from '@grafana/scenes'
import { catchError, from, map, of, startWith, type Observable } from 'rxjs'

/** Sets the services up. Call it once, before any other function of Grafana's packages. */
export async function setUpGrafana(
  colors: 'light' | 'dark',
  dataSources: RuntimeDataSource[],
): Promise<GrafanaTheme2> {
  await initPluginTranslations('dualpath-preview')
  config.theme2 = createTheme({ colors: { mode: colors } })
  setAppEvents(new EventBusSrv())
  setRunRequest(runRequest)
  setPluginImportUtils({
    importPanelPlugin: (id) => Promise.reject(new Error(`the preview has no panel of the type ${id}`)),
    getPanelPluginFromCache: () => undefined,
  })
  setTemplateSrv({
    getVariables: () => [],
    replace: (text = '', scopedVars = {}, format) => {
      const scene = scopedVars.__sceneObject?.value.valueOf() as SceneObject | undefined
      return scene ? sceneGraph.interpolate(scene, text, scopedVars, format as string) : text
    },
    containsTemplate: (text = '') => text.includes('$'),
    updateTimeRange: () => undefined,
  })
  setDataSourceSrv({
    get: (ref) => Promise.reject(new Error(`unknown data source ${JSON.stringify(ref)}`)),
    getList: (filters) =>
      dataSources.map((source) => source.instanceSettings).filter(({ type }) => type === filters?.pluginId),
    getInstanceSettings: () => undefined,
    reload: () => Promise.resolve(),
    registerRuntimeDataSource: () => undefined,
  })
  for (const dataSource of dataSources) registerRuntimeDataSourceInstance({ dataSource })
  standardFieldConfigEditorRegistry.setInit(standardFieldConfig)
  standardTransformersRegistry.setInit(transformers)
  return config.theme2
}

/** Runs the queries of a panel and reports loading, the result, or the error. */
function runRequest(source: DataSourceApi, request: DataQueryRequest): Observable<PanelData> {
  const loading: PanelData = { state: LoadingState.Loading, series: [], timeRange: request.range, request }
  return from(source.query(request)).pipe(
    map(({ data }): PanelData => ({ ...loading, state: LoadingState.Done, series: data })),
    catchError((error: unknown) => {
      const reported = toDataQueryError(error)
      return of({ ...loading, state: LoadingState.Error, error: reported, errors: [reported] })
    }),
    startWith(loading),
  )
}

/** The options of every field. The preview has no editors. */
function standardFieldConfig(): FieldConfigPropertyItem[] {
  const processors: [FieldConfigProperty, FieldConfigPropertyItem['process']][] = [
    [FieldConfigProperty.Unit, unitOverrideProcessor],
    [FieldConfigProperty.Min, numberOverrideProcessor],
    [FieldConfigProperty.Max, numberOverrideProcessor],
    [FieldConfigProperty.Decimals, numberOverrideProcessor],
    [FieldConfigProperty.DisplayName, displayNameOverrideProcessor],
    [FieldConfigProperty.NoValue, identityOverrideProcessor],
    [FieldConfigProperty.Color, identityOverrideProcessor],
    [FieldConfigProperty.Thresholds, thresholdsOverrideProcessor],
    [FieldConfigProperty.Mappings, valueMappingsOverrideProcessor],
  ]
  const editor = () => null
  return processors.map(([id, process]) => ({
    id,
    path: id,
    name: id,
    editor,
    override: editor,
    process,
    shouldApply: () => true,
  }))
}

function transformers(): TransformerRegistryItem[] {
  const known = {
    [DataTransformerID.reduce]: standardTransformers.reduceTransformer,
    [DataTransformerID.sortBy]: standardTransformers.sortByTransformer,
  }
  return Object.entries(known).map(([id, transformer]) => ({
    id,
    name: transformer.name,
    transformation: () => Promise.resolve(transformer),
    editor: () => null,
    imageDark: '',
    imageLight: '',
  }))
}
