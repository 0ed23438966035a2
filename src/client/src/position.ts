// Ids of events say where in a history they are: `<generation>-<number>`, or a number alone.

/** Below 0 if `a` comes before `b`, above if behind it; undefined if nobody can tell: they are of different histories. */
export function compare(a: string, b: string): number | undefined {
  if (a === b) return 0
  const [generationA, numberA] = split(a)
  const [generationB, numberB] = split(b)
  const difference = numberA - numberB
  return generationA === generationB && !Number.isNaN(difference) ? difference : undefined
}

function split(id: string): [string, number] {
  const at = id.lastIndexOf('-') + 1
  return [id.slice(0, at), at < id.length ? Number(id.slice(at)) : NaN]
}
