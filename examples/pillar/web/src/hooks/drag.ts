// Dragging by pointer: the mouse takes a task along at once, a finger when it has rested on it for a moment.
import { useCallback, useEffect, useRef, useState, type RefObject } from 'react'
import { autoScroll } from '../scroll.js'
import { placeAt, type Spot } from '../spot.js'

export interface Drag {
  taskId: string
  spot: Spot
  /** Where the task was, and what it measures. */
  left: number
  top: number
  width: number
  height: number
}

interface Grip {
  taskId: string
  element: HTMLElement
  pointerId: number
  isTouch: boolean
  startX: number
  startY: number
  x: number
  y: number
  timer: number | undefined
}

const SLACK_PX = 6
const REST_MS = 250

export interface PointerDrag {
  drag: Drag | undefined
  /** Of the copy that follows the pointer. */
  ghost: RefObject<HTMLDivElement | null>
  grab: (event: React.PointerEvent<HTMLElement>, taskId: string) => void
}

export function usePointerDrag(
  board: RefObject<HTMLElement | null>,
  onDrop: (taskId: string, spot: Spot) => void,
): PointerDrag {
  const [drag, setDrag] = useState<Drag>()
  const grip = useRef<Grip>(undefined)
  const current = useRef<Drag>(undefined)
  const ghost = useRef<HTMLDivElement>(null)
  const release = useRef<() => void>(undefined)

  const show = useCallback((next: Drag | undefined) => {
    current.current = next
    setDrag(next)
  }, [])

  const follow = useCallback(() => {
    const held = grip.current
    const now = current.current
    if (!held || !now || !board.current) return
    if (ghost.current) {
      ghost.current.style.transform = `translate(${held.x - held.startX}px, ${held.y - held.startY}px) rotate(2deg)`
    }
    const spot = placeAt(board.current, held.x, held.y, held.taskId)
    if (spot && (spot.columnId !== now.spot.columnId || spot.after !== now.spot.after)) show({ ...now, spot })
  }, [board, show])

  const begin = useCallback(() => {
    const held = grip.current
    if (!held || !board.current || current.current) return
    const { left, top, width, height } = held.element.getBoundingClientRect()
    const spot = placeAt(board.current, held.x, held.y, held.taskId)
    if (spot) show({ taskId: held.taskId, spot, left, top, width, height })
  }, [board, show])

  const end = useCallback(
    (isDrop: boolean) => {
      const dropped = current.current
      clearTimeout(grip.current?.timer)
      release.current?.()
      grip.current = undefined
      show(undefined)
      if (dropped && isDrop) onDrop(dropped.taskId, dropped.spot)
    },
    [onDrop, show],
  )

  const grab = useCallback(
    (event: React.PointerEvent<HTMLElement>, taskId: string) => {
      if (event.button !== 0 || !event.isPrimary || grip.current) return
      const isTouch = event.pointerType === 'touch'
      const [x, y] = [event.clientX, event.clientY]
      const element = event.currentTarget
      const timer = isTouch ? window.setTimeout(begin, REST_MS) : undefined
      const { pointerId } = event
      grip.current = { taskId, element, pointerId, isTouch, startX: x, startY: y, x, y, timer }
      release.current = listen(element, {
        move(moved) {
          const held = grip.current
          if (!held || moved.pointerId !== held.pointerId) return
          held.x = moved.clientX
          held.y = moved.clientY
          const far = Math.hypot(held.x - held.startX, held.y - held.startY) > SLACK_PX
          if (!current.current && far && held.isTouch) end(false)
          else if (!current.current && far) begin()
          follow()
        },
        up: () => end(true),
        cancel: () => end(false),
        isDragging: () => current.current !== undefined,
      })
    },
    [begin, end, follow],
  )

  // The ghost is there from the first render after `begin` on, and the board scrolls under it.
  const isDragging = drag !== undefined
  useEffect(() => {
    if (!isDragging) return
    follow()
    return autoScroll(board, () => grip.current, follow)
  }, [isDragging, board, follow])
  useEffect(() => () => release.current?.(), [])
  return { drag, ghost, grab }
}

interface Moves {
  move(event: PointerEvent): void
  up(): void
  cancel(): void
  isDragging(): boolean
}

function listen(element: HTMLElement, moves: Moves): () => void {
  const over = new AbortController()
  const { signal } = over
  window.addEventListener('pointermove', (event) => moves.move(event), { signal })
  window.addEventListener('pointerup', () => moves.up(), { signal })
  window.addEventListener('pointercancel', () => moves.cancel(), { signal })
  window.addEventListener('blur', () => moves.cancel(), { signal })
  const escape = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape' || !moves.isDragging()) return
    event.preventDefault()
    event.stopPropagation()
    moves.cancel()
  }
  window.addEventListener('keydown', escape, { signal, capture: true })
  // A finger that drags does not scroll.
  const hold = (event: TouchEvent): void => {
    if (moves.isDragging() && event.cancelable) event.preventDefault()
  }
  element.addEventListener('touchmove', hold, { signal, passive: false })
  element.addEventListener('contextmenu', (event) => moves.isDragging() && event.preventDefault(), { signal })
  // What was dragged was not clicked.
  const swallow = (event: MouseEvent): void => {
    event.preventDefault()
    event.stopPropagation()
  }
  window.addEventListener(
    'pointerup',
    () => {
      if (!moves.isDragging()) return
      window.addEventListener('click', swallow, { capture: true, once: true })
      setTimeout(() => window.removeEventListener('click', swallow, { capture: true }))
    },
    { signal, capture: true },
  )
  return () => over.abort()
}
