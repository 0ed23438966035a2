// Scrolls what the pointer is at the edge of.
import type { RefObject } from 'react'

const EDGE_PX = 48
const SPEED_PX = 12

interface Point {
  x: number
  y: number
}

function pull(at: number, from: number, to: number): number {
  if (at < from + EDGE_PX) return -1
  return at > to - EDGE_PX ? 1 : 0
}

function step(board: HTMLElement, { x, y }: Point): boolean {
  const { left, right } = board.getBoundingClientRect()
  const sideways = pull(x, Math.max(0, left), Math.min(innerWidth, right)) * SPEED_PX
  const before = board.scrollLeft
  board.scrollLeft += sideways
  const column = document.elementsFromPoint(x, y).find((element) => element.matches('.cards'))
  if (!column) return board.scrollLeft !== before
  const { top, bottom } = column.getBoundingClientRect()
  const was = column.scrollTop
  column.scrollTop += pull(y, top, bottom) * SPEED_PX
  return board.scrollLeft !== before || column.scrollTop !== was
}

/** Goes on until the function that it returns is called. */
export function autoScroll(
  board: RefObject<HTMLElement | null>,
  point: () => Point | undefined,
  moved: () => void,
): () => void {
  let frame = 0
  const turn = (): void => {
    const at = point()
    if (board.current && at && step(board.current, at)) moved()
    frame = requestAnimationFrame(turn)
  }
  frame = requestAnimationFrame(turn)
  return () => cancelAnimationFrame(frame)
}
