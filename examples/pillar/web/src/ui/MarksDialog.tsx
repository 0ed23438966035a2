// A user's own labels and categories.
import { useState, type ReactNode } from 'react'
import { useSession, useView } from '../hooks/board.js'
import { byName, type Label } from '../model.js'
import { AddForm } from './AddForm.js'
import { Dialog } from './Dialog.js'
import { Icon } from './Icon.js'
import { COLORS, colorOf } from './LabelChip.js'
import { NameField } from './NameField.js'

export function MarksDialog({ onClose }: { onClose: () => void }): ReactNode {
  return (
    <Dialog title="Labels and categories" onClose={onClose}>
      <div className="dialog-scroll">
        <p className="hint">They are your own: others see the same tasks, and file them in their own way.</p>
        <Labels />
        <Categories />
      </div>
    </Dialog>
  )
}

function Labels(): ReactNode {
  const { store } = useSession()
  const { data } = useView()
  const [color, setColor] = useState<string>('blue')
  return (
    <section aria-labelledby="own-labels">
      <h3 id="own-labels">Labels</h3>
      <ul className="rows">
        {[...data.labels.values()].sort(byName).map((label) => (
          <LabelRow key={store.ids.keyOf(label.id)} label={label} />
        ))}
      </ul>
      <AddForm
        label="New label"
        button="Add"
        maxLength={100}
        onAdd={(name) => void store.change('POST', '/api/labels', { name, color })}
      >
        <ColorSelect label="Colour of the new label" color={color} onChange={setColor} />
      </AddForm>
    </section>
  )
}

function LabelRow({ label: { id, name, color } }: { label: Label }): ReactNode {
  const { store } = useSession()
  const path = `/api/labels/${encodeURIComponent(id)}`
  return (
    <li className="row">
      <NameField
        label={`Name of the label ${name}`}
        name={name}
        onRename={(next) => void store.change('PATCH', path, { name: next })}
      />
      <ColorSelect
        label={`Colour of ${name}`}
        color={colorOf(color)}
        onChange={(next) => void store.change('PATCH', path, { color: next })}
      />
      <RemoveButton name={name} onRemove={() => void store.change('DELETE', path)} />
    </li>
  )
}

interface ColorProps {
  label: string
  color: string
  onChange: (color: string) => void
}

function ColorSelect({ label, color, onChange }: ColorProps): ReactNode {
  return (
    <span className="color-select">
      <span className="dot" data-color={color} aria-hidden="true" />
      <select className="input" aria-label={label} value={color} onChange={(event) => onChange(event.target.value)}>
        {COLORS.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </select>
    </span>
  )
}

function Categories(): ReactNode {
  const { store } = useSession()
  const { data } = useView()
  const pathOf = (id: string): string => `/api/categories/${encodeURIComponent(id)}`
  return (
    <section aria-labelledby="own-categories">
      <h3 id="own-categories">Categories</h3>
      <ul className="rows">
        {[...data.categories.values()].sort(byName).map(({ id, name }) => (
          <li key={store.ids.keyOf(id)} className="row">
            <NameField
              label={`Name of the category ${name}`}
              name={name}
              onRename={(next) => void store.change('PATCH', pathOf(id), { name: next })}
            />
            <RemoveButton name={name} onRemove={() => void store.change('DELETE', pathOf(id))} />
          </li>
        ))}
      </ul>
      <AddForm
        label="New category"
        button="Add"
        maxLength={100}
        onAdd={(name) => void store.change('POST', '/api/categories', { name })}
      />
    </section>
  )
}

function RemoveButton({ name, onRemove }: { name: string; onRemove: () => void }): ReactNode {
  return (
    <button
      type="button"
      className="icon-button"
      aria-label={`Delete ${name}`}
      title={`Delete ${name}`}
      onClick={onRemove}
    >
      <Icon name="trash" />
    </button>
  )
}
