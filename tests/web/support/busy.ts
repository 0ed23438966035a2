// Requests without a pause, whatever becomes of the broker.
import type { Answer } from './page.js'
import type { Tab } from './tab.js'
import { until } from './wait.js'

const CREATED = 201
const THERE_ALREADY = 409

/** Makes one request after the other, until the function that is returned is called, or the tab closed. */
export function keepAsking(
  tab: Tab,
  request: () => Promise<Answer>,
  onAnswer: (answer: Answer) => void,
): () => Promise<void> {
  let stopped = false
  const work = (async () => {
    while (!stopped && !tab.closed) {
      const answer = await request().catch(() => undefined)
      if (answer) onAnswer(answer)
    }
  })()
  return async () => {
    stopped = true
    await work
  }
}

/** Writes notes to ada. What is not answered is sent again. */
export class Writer {
  /** What is written for certain. */
  readonly texts: string[] = []
  readonly stop: () => Promise<void>

  constructor(tab: Tab) {
    const note = () => ({ text: `note ${this.texts.length + 1}`, to: ['ada'] })
    this.stop = keepAsking(
      tab,
      () => tab.send('POST', '/api/notes', note()),
      ({ status }) => {
        if (status === CREATED || status === THERE_ALREADY) this.texts.push(note().text)
      },
    )
  }

  /** Waits until so many more are written. */
  async untilWritten(more: number): Promise<void> {
    const goal = this.texts.length + more
    await until(`${goal} notes`, () => this.texts.length >= goal)
  }
}
