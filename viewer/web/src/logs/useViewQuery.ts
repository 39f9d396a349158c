import { computed } from 'vue'
import { useRoute, useRouter } from 'vue-router'

import { parseView, viewQuery, type Filters, type View } from './filters'

/** The state of the view, kept in the page's address. So users can share it, and "back" works. */
export function useViewQuery() {
  const route = useRoute()
  const router = useRouter()
  const view = computed(() => parseView(route.query))

  function update(change: Partial<View>, method: 'push' | 'replace'): void {
    void router[method]({ query: viewQuery({ ...view.value, ...change }) })
  }

  return {
    view,
    /** Changes filters and goes to the newest page. */
    filter: (change: Partial<Filters>) => {
      update({ filters: { ...view.value.filters, ...change }, before: '' }, 'push')
    },
    /** Goes to a page. Following ends on an older page. */
    page: (before: string) => {
      update({ before, follow: before === '' && view.value.follow }, 'push')
    },
    follow: (follow: boolean) => {
      update({ follow, before: follow ? '' : view.value.before }, 'replace')
    },
    details: (details: boolean) => {
      update({ details }, 'replace')
    },
  }
}
