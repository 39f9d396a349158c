import { computed } from 'vue'
import { useRoute, useRouter } from 'vue-router'

import { parseView, viewQuery, type Filters, type View } from './filters'

/** The filters and the rest of the view, kept in the page's address: it can be sent to others, and "back" works. */
export function useView() {
  const route = useRoute()
  const router = useRouter()
  const view = computed(() => parseView(route.query))

  function show(change: Partial<View>, how: 'push' | 'replace'): void {
    void router[how]({ query: viewQuery({ ...view.value, ...change }) })
  }

  return {
    view,
    /** Other filters start from the newest page. */
    filter: (change: Partial<Filters>) => {
      show({ filters: { ...view.value.filters, ...change }, before: '' }, 'push')
    },
    /** Goes to a page; there is nothing to follow on an older one. */
    page: (before: string) => {
      show({ before, follow: before === '' && view.value.follow }, 'push')
    },
    follow: (follow: boolean) => {
      show({ follow, before: follow ? '' : view.value.before }, 'replace')
    },
    details: (details: boolean) => {
      show({ details }, 'replace')
    },
  }
}
