import type { Person } from './person.js'
import { until } from './wait.js'

/** Notes to ada, one after the other without a pause: "flow 0", "flow 1" and so on. */
export class Flow {
  readonly written: string[] = []
  private stopped = false
  private readonly work: Promise<void>

  constructor(by: Person) {
    this.work = this.write(by)
  }

  /** Waits until so many more are written. */
  async untilWritten(more: number): Promise<void> {
    const goal = this.written.length + more
    await until(`${goal} notes`, () => this.written.length >= goal)
  }

  async stop(): Promise<void> {
    this.stopped = true
    await this.work
  }

  private async write(by: Person): Promise<void> {
    while (!this.stopped) {
      const text = `flow ${this.written.length}`
      const { status } = await by.post('/api/notes', { text, to: ['ada'] })
      // It was there already: its first answer was lost.
      if (status === 201 || status === 409) this.written.push(text)
      else throw new Error(`${text}: status ${status}`)
    }
  }
}
