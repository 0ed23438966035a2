// What apps/notes/public/page.js gives to tests.

export type Heard =
  | { name: 'ready' | 'sync' | 'resync' | 'message'; id: string; data: Record<string, unknown> }
  | { name: 'error'; readyState: number }

export interface Answer {
  status: number
  body: unknown
}

declare global {
  interface Window {
    heard: Heard[]
    /** Opens the page's EventSource. */
    listen(session: string): void
    readyState(): number | undefined
    stopListening(): void
    /** Rejects with a TypeError when no answer comes. */
    send(method: string, path: string, session: string, body?: object): Promise<Answer>
  }
}
