import js from '@eslint/js'
import prettier from 'eslint-config-prettier'
import hooks from 'eslint-plugin-react-hooks'
import globals from 'globals'
import typescript from 'typescript-eslint'

export default typescript.config(
  { ignores: ['dist/', 'test-results/', 'playwright-report/'] },
  js.configs.recommended,
  typescript.configs.strict,
  hooks.configs.flat.recommended,
  {
    files: ['src/**'],
    languageOptions: { globals: globals.browser },
    rules: { 'no-console': 'error' },
  },
  {
    files: ['*.config.*', 'server/**', 'e2e/**'],
    languageOptions: { globals: { ...globals.node, ...globals.browser } },
    // A fixture of Playwright calls `use`, which is not a hook of React.
    rules: { 'react-hooks/rules-of-hooks': 'off' },
  },
  // TypeScript checks this.
  { rules: { 'no-undef': 'off' } },
  prettier,
)
