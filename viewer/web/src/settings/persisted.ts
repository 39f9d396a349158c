import { ref, watch, type Ref } from 'vue'

/** A choice that is kept in local storage. If the browser forbids storage, it is kept until the page is closed. */
export function persisted<Choice extends string>(
  key: string,
  choices: readonly Choice[],
  fallback: Choice,
): Ref<Choice> {
  const choice = ref(read(key, choices) ?? fallback) as Ref<Choice>
  watch(choice, (value) => {
    try {
      localStorage.setItem(key, value)
    } catch {
      // The choice is lost when the page is closed.
    }
  })
  return choice
}

function read<Choice extends string>(key: string, choices: readonly Choice[]): Choice | undefined {
  try {
    const value = localStorage.getItem(key)
    return choices.find((choice) => choice === value)
  } catch {
    return undefined
  }
}
