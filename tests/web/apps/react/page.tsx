// React on the pages of apps/notes: what react.spec.ts has bundled, in React's development mode, and put into the page.
import { createSync, type Sync, type SyncEvent } from 'pillar-client'
import { RealtimeProvider, useSync, useSyncSubscription } from 'pillar-client/react'
import { StrictMode, Suspense, startTransition, use, useEffect, useState, type ReactNode } from 'react'
import { createRoot, hydrateRoot, type Root } from 'react-dom/client'
import { Badge } from './badge.js'

export interface ReactPage {
  /** What the handler was told, and in which render it was made. */
  told: { action: string; render: string }[]
  /** How often somebody has subscribed. */
  subscriptions: number
  /** The sessions of the Syncs that the provider gave to hydrated components. */
  sessions: Set<string>
  /** What React complained about. */
  complaints: string[]
  mount(strict: boolean): Promise<void>
  /** Takes over what was rendered on a server. */
  hydrate(html: string): void
  unmount(): void
  /** Renders anew, and waits until that is seen. */
  render(name: string, entities?: string[]): void
  /** Begins to render anew, and never comes to an end. */
  hang(name: string): void
}

declare global {
  interface Window {
    react: ReactPage
  }
}

interface Rendering {
  name: string
  entities: string | string[]
  waitFor?: Promise<void>
}

let show: (rendering: Rendering) => void = () => {}
let root: Root | undefined

function Waits({ on }: { on: Promise<void> }): ReactNode {
  use(on)
  return null
}

function Subscriber(): ReactNode {
  const [{ name, entities, waitFor }, setRendering] = useState<Rendering>({ name: 'first', entities: 'note' })
  show = setRendering
  useSyncSubscription(entities, ({ action }: SyncEvent) => void window.react.told.push({ action, render: name }))
  return (
    <>
      <p id="render">{name}</p>
      {waitFor && <Waits on={waitFor} />}
    </>
  )
}

function Session(): ReactNode {
  const { sessionId } = useSync()
  useEffect(() => {
    window.react.sessions.add(sessionId)
  }, [sessionId])
  return null
}

/** Counts what is subscribed to. */
function counted(sync: Sync): Sync {
  return new Proxy(sync, {
    get(target, name) {
      if (name !== 'on') return Reflect.get(target, name)
      return (...args: Parameters<Sync['on']>) => {
        window.react.subscriptions++
        return target.on(...args)
      }
    },
  })
}

function container(html = ''): HTMLElement {
  const element = document.createElement('div')
  element.id = 'react'
  element.innerHTML = html
  document.body.append(element)
  return element
}

const complain = (problem: unknown): void => void window.react.complaints.push(String(problem))

window.react = {
  told: [],
  subscriptions: 0,
  sessions: new Set(),
  complaints: [],
  async mount(strict) {
    const position = (await fetch('/api/notes')).headers.get('Sync-Position') ?? ''
    const page = (
      <RealtimeProvider sync={counted(createSync({ share: false }))} position={position}>
        <Suspense fallback="waiting">
          <Subscriber />
        </Suspense>
        <Badge />
      </RealtimeProvider>
    )
    root = createRoot(container(), { onUncaughtError: complain })
    root.render(strict ? <StrictMode>{page}</StrictMode> : page)
  },
  hydrate(html) {
    const page = (
      <RealtimeProvider share={false}>
        <Badge />
        <Session />
      </RealtimeProvider>
    )
    root = hydrateRoot(container(html), <StrictMode>{page}</StrictMode>, { onRecoverableError: complain })
  },
  unmount() {
    root?.unmount()
    document.getElementById('react')?.remove()
  },
  render(name, entities) {
    show({ name, entities: entities ?? 'note' })
  },
  hang(name) {
    startTransition(() => show({ name, entities: 'note', waitFor: new Promise(() => {}) }))
  },
}
