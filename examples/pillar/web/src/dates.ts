// Days, as people say them.
const DAY_MS = 24 * 3600 * 1000

function dayOf(date: string): Date {
  const [year = 0, month = 1, day = 1] = date.split('-').map(Number)
  return new Date(year, month - 1, day)
}

export function daysUntil(date: string, now = new Date()): number {
  const today = new Date(now.getFullYear(), now.getMonth(), now.getDate())
  return Math.round((dayOf(date).getTime() - today.getTime()) / DAY_MS)
}

export function dueText(date: string): string {
  const days = daysUntil(date)
  if (days === 0) return 'Today'
  if (days === 1) return 'Tomorrow'
  if (days === -1) return 'Yesterday'
  const isNear = days > 1 && days < 7
  return dayOf(date).toLocaleDateString('en', isNear ? { weekday: 'long' } : { day: 'numeric', month: 'short' })
}

export function dueKind(date: string): 'late' | 'today' | 'later' {
  const days = daysUntil(date)
  return days < 0 ? 'late' : days === 0 ? 'today' : 'later'
}

export function agoText(at: number, now = Date.now()): string {
  const minutes = Math.floor((now - at) / 60_000)
  if (minutes < 1) return 'just now'
  if (minutes < 60) return `${minutes} min ago`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return `${hours} h ago`
  const days = Math.floor(hours / 24)
  return days === 1 ? 'yesterday' : `${days} days ago`
}
