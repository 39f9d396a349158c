import { createApp } from 'vue'

import App from './App.vue'
import { applyLanguage, i18n } from './i18n'
import { router } from './router'
import { applyTheme } from './settings/theme'
import './styles/base.css'
import './styles/controls.css'

applyTheme(document.documentElement)
applyLanguage(document.documentElement)
createApp(App).use(router).use(i18n).mount('#app')
