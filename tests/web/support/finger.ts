// A finger on the screen, as the browser's own input sees it.
import type { CDPSession, Locator } from 'playwright-core'
import type { BoardWindow } from './board.js'

export interface Point {
  x: number
  y: number
}

const STEPS = 6

export async function centre(locator: Locator): Promise<Point> {
  const box = await locator.boundingBox()
  if (!box) throw new Error('there is nothing to touch')
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 }
}

export class Finger {
  private at: Point = { x: 0, y: 0 }

  private constructor(private readonly session: CDPSession) {}

  static async on({ page }: BoardWindow): Promise<Finger> {
    return new Finger(await page.context().newCDPSession(page))
  }

  async down(point: Point): Promise<void> {
    this.at = point
    await this.send('touchStart', [point])
  }

  async move({ x, y }: Point): Promise<void> {
    const from = this.at
    this.at = { x, y }
    const points = Array.from({ length: STEPS }, (_, step) => ({
      x: from.x + ((x - from.x) * (step + 1)) / STEPS,
      y: from.y + ((y - from.y) * (step + 1)) / STEPS,
    }))
    await Promise.all(points.map((point) => this.send('touchMove', [point])))
  }

  /** All at once, so that it rests nowhere however slow the test is. */
  async swipe(from: Point, to: Point): Promise<void> {
    await Promise.all([this.down(from), this.move(to), this.up()])
  }

  async up(): Promise<void> {
    await this.send('touchEnd', [])
  }

  private async send(type: 'touchStart' | 'touchMove' | 'touchEnd', touchPoints: Point[]): Promise<void> {
    await this.session.send('Input.dispatchTouchEvent', { type, touchPoints })
  }
}
