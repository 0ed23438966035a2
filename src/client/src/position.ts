// Ids of events say where in a history they are: `<generation>-<number>`, or a number alone.

/** Below 0 if `a` comes before `b`, above if behind it; NaN if nobody can tell: they are of different histories. */
export function compare(a: string, b: string): number {
  const [, historyA, numberA] = split(a)
  const [, historyB, numberB] = split(b)
  if (a === b) return 0
  return historyA === historyB ? Number(numberA) - Number(numberB) : NaN
}

function split(id: string): string[] {
  return /^(.*-)?(\d+)$/.exec(id) ?? []
}
