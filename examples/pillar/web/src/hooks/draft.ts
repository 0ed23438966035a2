// An edit in progress. What others change meanwhile does not touch what was typed: it is told beside it.
import { useState } from 'react'
import type { Marks, Task } from '../model.js'

export type Field = 'title' | 'description' | 'columnId' | 'assigneeId' | 'dueDate' | 'recurrence'

export type Values = Pick<Task, Field>

const FIELDS: Field[] = ['title', 'description', 'columnId', 'assigneeId', 'dueDate', 'recurrence']

export interface Draft {
  /** Mine where I have changed something, theirs elsewhere. */
  values: Values
  set: (part: Partial<Values>) => void
  /** What differs from what the server has. */
  changes: Partial<Values>
  /** Whether somebody has changed a field that I have changed, too, to something else. */
  isContested: (field: Field) => boolean
  takeTheirs: (field: Field) => void
  keepMine: (field: Field) => void
}

function part<Name extends Field>(name: Name, values: Values): Partial<Values> {
  const one: Partial<Values> = {}
  one[name] = values[name]
  return one
}

export function useDraft(task: Task): Draft {
  /** What I have changed. */
  const [mine, setMine] = useState<Partial<Values>>({})
  /** What the fields that I have changed were when I began, or last looked. */
  const [seen, setSeen] = useState<Partial<Values>>({})
  const values: Values = { ...task, ...mine }
  const isMine = (field: Field): boolean => mine[field] !== undefined && mine[field] !== task[field]

  const set = (next: Partial<Values>): void => {
    setMine((before) => ({ ...before, ...next }))
    setSeen((before) => {
      const first = FIELDS.filter((field) => field in next && !(field in before))
      return first.reduce((soFar, field) => ({ ...soFar, ...part(field, task) }), before)
    })
  }
  const takeTheirs = (field: Field): void => {
    const without = (from: Partial<Values>): Partial<Values> => {
      const rest = { ...from }
      delete rest[field]
      return rest
    }
    setMine(without)
    setSeen(without)
  }
  return {
    values,
    set,
    changes: FIELDS.filter(isMine).reduce<Partial<Values>>(
      (soFar, field) => ({ ...soFar, ...part(field, values) }),
      {},
    ),
    isContested: (field) => isMine(field) && seen[field] !== undefined && seen[field] !== task[field],
    takeTheirs,
    keepMine: (field) => setSeen((before) => ({ ...before, ...part(field, task) })),
  }
}

export type MarksDraft = Pick<Marks, 'labelIds' | 'categoryId'>

export function sameMarks(a: MarksDraft, b: MarksDraft): boolean {
  const ids = ({ labelIds }: MarksDraft): string => [...labelIds].sort().join()
  return a.categoryId === b.categoryId && ids(a) === ids(b)
}
