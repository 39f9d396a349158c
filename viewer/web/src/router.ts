import { createRouter, createWebHistory } from 'vue-router'

import LogsPage from './logs/LogsPage.vue'

/** The pages, in the order of the navigation. Each name is also the message key of its title. */
export const PAGES = ['logs', 'tallies', 'compare'] as const

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', name: 'logs', component: LogsPage },
    { path: '/tallies', name: 'tallies', component: () => import('./tallies/TalliesPage.vue') },
    { path: '/compare', name: 'compare', component: () => import('./compare/ComparePage.vue') },
    { path: '/:any(.*)', name: 'notFound', component: () => import('./shared/NotFoundPage.vue') },
  ],
  scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? false : { top: 0 }),
})
