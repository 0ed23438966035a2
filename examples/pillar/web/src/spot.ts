// Where in the board a point is.

export interface Spot {
  columnId: string
  /** The task above; none at the top. */
  after: string | undefined
}

function columnAt(board: HTMLElement, x: number): HTMLElement | undefined {
  const columns = [...board.querySelectorAll<HTMLElement>('[data-column]')]
  const distance = (column: HTMLElement): number => {
    const { left, right } = column.getBoundingClientRect()
    return x < left ? left - x : x > right ? x - right : 0
  }
  return columns.sort((a, b) => distance(a) - distance(b))[0]
}

/** The place at a point, as if the task that is dragged was not there. */
export function placeAt(board: HTMLElement, x: number, y: number, dragged: string): Spot | undefined {
  const column = columnAt(board, x)
  const columnId = column?.dataset['column']
  if (!column || columnId === undefined) return undefined
  const above = [...column.querySelectorAll<HTMLElement>('[data-task]')].filter((card) => {
    const { top, height } = card.getBoundingClientRect()
    return card.dataset['task'] !== dragged && top + height / 2 < y
  })
  return { columnId, after: above.at(-1)?.dataset['task'] }
}
