// Plain requests, and what went wrong in words.
import { isFields } from './rows.js'

export interface Reading {
  body: unknown
  /** The place in the history that it shows: a stream that begins here misses nothing. */
  position: string | undefined
}

export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }
}

export async function refusal(response: Response): Promise<Refusal> {
  return new Refusal(response.status, messageOf(await readBody(response)) ?? `the server answered ${response.status}`)
}

/** What an error answer says. */
export function messageOf(body: unknown): string | undefined {
  const error = isFields(body) ? body['error'] : undefined
  return isFields(error) && typeof error['message'] === 'string' ? error['message'] : undefined
}

export async function readBody(response: Response): Promise<unknown> {
  try {
    return await response.json()
  } catch {
    return undefined
  }
}

export async function get(path: string): Promise<Reading> {
  const response = await fetch(path)
  if (!response.ok) throw await refusal(response)
  return { body: await readBody(response), position: response.headers.get('Sync-Position') ?? undefined }
}

export async function post(path: string, body?: object): Promise<unknown> {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body ?? {}),
  })
  if (!response.ok) throw await refusal(response)
  return readBody(response)
}
