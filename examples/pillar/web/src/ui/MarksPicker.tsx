// How I file a task: under labels and a category of my own.
import type { ReactNode } from 'react'
import { useView } from '../hooks/board.js'
import type { MarksDraft } from '../hooks/draft.js'
import { byName } from '../model.js'
import { colorOf } from './LabelChip.js'

interface Props {
  marks: MarksDraft
  onChange: (marks: MarksDraft) => void
}

export function MarksPicker({ marks, onChange }: Props): ReactNode {
  const { data } = useView()
  const labels = [...data.labels.values()].sort(byName)
  const toggle = (id: string): void => {
    const isOn = marks.labelIds.includes(id)
    const labelIds = isOn ? marks.labelIds.filter((other) => other !== id) : [...marks.labelIds, id]
    onChange({ ...marks, labelIds })
  }
  return (
    <fieldset className="marks">
      <legend>
        Your labels and category <span className="hint">only you see these</span>
      </legend>
      <div className="chips">
        {labels.map(({ id, name, color }) => (
          <button
            key={id}
            type="button"
            className="chip chip-toggle"
            data-color={colorOf(color)}
            aria-pressed={marks.labelIds.includes(id)}
            onClick={() => toggle(id)}
          >
            {name}
          </button>
        ))}
        {labels.length === 0 && <span className="hint">You have no labels yet.</span>}
      </div>
      <label className="field">
        <span className="field-name">Category</span>
        <select
          className="input"
          value={marks.categoryId ?? ''}
          onChange={(event) => onChange({ ...marks, categoryId: event.target.value || null })}
        >
          <option value="">None</option>
          {[...data.categories.values()].sort(byName).map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </label>
    </fieldset>
  )
}
