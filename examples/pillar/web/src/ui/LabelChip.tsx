import type { ReactNode } from 'react'
import type { Label } from '../model.js'

export const COLORS = ['violet', 'blue', 'teal', 'green', 'amber', 'red', 'pink', 'gray'] as const

/** Colours that the page does not know are gray. */
export function colorOf(color: string): string {
  return COLORS.find((known) => known === color) ?? 'gray'
}

export function LabelChip({ label }: { label: Label }): ReactNode {
  return (
    <span className="chip" data-color={colorOf(label.color)}>
      {label.name}
    </span>
  )
}
