/** What a text of JSON says; undefined if it is none. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The fields of a JSON object; none if the text is something else. */
export function fields(text: string): Record<string, unknown> {
  const value = parse(text)
  return value instanceof Object ? { ...value } : {}
}
