import { ref, watch, type Ref } from 'vue'

/** A choice that outlives the page; a browser that forbids storage forgets it at the end of the visit. */
export function stored<Choice extends string>(
  key: string,
  choices: readonly Choice[],
  fallback: Choice,
): Ref<Choice> {
  const choice = ref(read(key, choices) ?? fallback) as Ref<Choice>
  watch(choice, (value) => {
    try {
      localStorage.setItem(key, value)
    } catch {
      // Forgotten at the end of the visit.
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
