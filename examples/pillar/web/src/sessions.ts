// The sessions that this tab has had, one for each time that the page was loaded. What a change of an earlier one does was on
// the screen before the server heard of it.

const KEY = 'board sessions'
const LIMIT = 20

function stored(): string[] {
  try {
    const value: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? '[]')
    return Array.isArray(value) ? value.filter((id) => typeof id === 'string') : []
  } catch {
    return []
  }
}

/** Notes the session of this load of the page, and gives all that the tab has had. */
export function sessionsOfTab(now: string): ReadonlySet<string> {
  const all = [...stored(), now].slice(-LIMIT)
  try {
    sessionStorage.setItem(KEY, JSON.stringify(all))
  } catch {
    // Then the next load of the page takes its changes for those of another device.
  }
  return new Set(all)
}
