// What the answer to a change means for the queue; the table is in the package's README.
import type { StoredResponse } from '../types.js'

/**
 * `done`: it was made. `unknown`: it was made, and what was answered is lost. `later`: the same again, later. `login`: nobody
 * is signed in. `refused`: coming again does not help. `failing`: coming again may help, and may not.
 */
export type Meaning = 'done' | 'unknown' | 'later' | 'login' | 'refused' | 'failing'

const LATER = [408, 425, 429, 502, 503, 504]

/** `accept`: the request's header of this name. */
export function meaning({ status, headers, body }: StoredResponse, accept: string | null): Meaning {
  // A page to sign in at comes with 403, or with 200 in the place of any answer, or behind a redirection. A redirection that
  // was not followed has the status 0 (Fetch, section 3.2.6).
  const isPage = /^text\/html/i.test(new Headers(headers).get('Content-Type') ?? '')
  const isLogin = isPage && (status === 403 || (status < 300 && !accept?.includes('html')))
  if (isLogin || status === 401 || status < 200 || (status >= 300 && status < 400)) return 'login'
  if (status < 300) return 'done'
  if (LATER.includes(status)) return 'later'
  if (status >= 500) return 'failing'
  const code = status === 409 && /"idempotency_(in_progress|incomplete)"/.exec(new TextDecoder().decode(body))?.[1]
  return code ? (code === 'incomplete' ? 'unknown' : 'later') : 'refused'
}
