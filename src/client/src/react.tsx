// React bindings: a Sync in a context, and hooks on it. Nothing here touches the window while rendering.
import {
  createContext,
  useCallback,
  useContext,
  useEffect,
  useInsertionEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
  type ReactNode,
  type RefObject,
} from 'react'
import { createSync } from './sync.js'
import type { EventHandler, QueueDetail, Sync, SyncEventMap, SyncOptions, SyncStatus } from './types.js'

const SyncContext = createContext<Sync | undefined>(undefined)

function isSync(given: Sync | SyncOptions): given is Sync {
  return 'connect' in given
}

/** What was committed last, for callbacks that are called later. */
function useLatest<T>(value: T): RefObject<T> {
  const latest = useRef(value)
  useInsertionEffect(() => {
    latest.current = value
  })
  return latest
}

/** A Sync that a component has made. */
interface Own {
  sync: Sync
  /** How many effects of the component hold it. */
  holders: number
  closed: boolean
}

/** Makes a Sync whose callbacks are always those of the newest options; the rest of the options is read once. */
function make(latest: RefObject<SyncOptions>): Own {
  const options = { ...latest.current }
  if (options.headers) options.headers = () => latest.current.headers?.() ?? {}
  if (options.refresh) options.refresh = () => latest.current.refresh?.() ?? false
  return { sync: createSync(options), holders: 0, closed: false }
}

function letGo(own: Own): void {
  if (--own.holders > 0) return
  own.closed = true
  own.sync.close()
}

/**
 * A Sync that is connected while the component lives. Given options, it makes one, which is closed when the component
 * goes; they are read once, but `headers` and `refresh` may change. Given a Sync, that one is connected, and stays the
 * caller's: it is not closed. `position`: see `Sync.connect`.
 */
export function useRealtimeSync(given: Sync | SyncOptions = {}, position?: string): Sync {
  const options = useLatest(isSync(given) ? {} : given)
  const [own, setOwn] = useState<Own | undefined>(() => (isSync(given) ? undefined : make(options)))
  const sync = isSync(given) ? given : own?.sync
  if (!sync) throw new Error('useRealtimeSync was given a Sync, and now options')
  const start = useLatest(position)

  // What is let go is let go a moment later. StrictMode takes components away and puts them back at once: then the stream
  // stays the same one, and so does the Sync. One that is put back after longer (<Activity>) finds its Sync closed.
  useEffect(() => {
    if (own?.closed && own.sync === sync) {
      setOwn(make(options))
      return
    }
    const release = sync.connect(start.current)
    const mine = own?.sync === sync ? own : undefined
    if (mine) mine.holders++
    return () => {
      setTimeout(() => {
        release()
        if (mine) letGo(mine)
      })
    }
  }, [sync, own, options, start])
  return sync
}

export type RealtimeProviderProps = { children?: ReactNode; position?: string } & (
  | ({ sync?: undefined } & SyncOptions)
  | { sync: Sync }
)

/** Gives a Sync, the page's own or one made from options, to the components in it, and keeps it connected. */
export function RealtimeProvider({ children, position, sync, ...options }: RealtimeProviderProps): ReactNode {
  const value = useRealtimeSync(sync ?? options, position)
  return <SyncContext.Provider value={value}>{children}</SyncContext.Provider>
}

/** The Sync of the nearest `RealtimeProvider`. Throws where there is none. */
export function useSync(): Sync {
  const sync = useContext(SyncContext)
  if (!sync) throw new Error('there is no <RealtimeProvider> around this component')
  return sync
}

/**
 * Calls `handler`, always that of the newest render, for each event of an entity (of several, or of `"*"`), and with the
 * action "resync" when it is time to fetch anew.
 */
export function useSyncSubscription<Data = unknown>(
  entities: string | readonly string[],
  handler: EventHandler<Data>,
): void {
  const sync = useSync()
  const latest = useLatest(handler)
  const names = useLatest(entities)
  const key = JSON.stringify(entities)
  useEffect(() => sync.on<Data>(names.current, (event) => latest.current(event)), [sync, key, names, latest])
}

function useWindowEvent<Value>(name: keyof SyncEventMap, now: () => Value, onServer: Value): Value {
  const subscribe = useCallback(
    (changed: () => void) => {
      window.addEventListener(name, changed)
      return () => window.removeEventListener(name, changed)
    },
    [name],
  )
  return useSyncExternalStore(subscribe, now, () => onServer)
}

/** The stream's status; `connecting` on a server. */
export function useSyncStatus(): SyncStatus {
  const sync = useSync()
  return useWindowEvent<SyncStatus>('pillar:status', () => sync.status, 'connecting')
}

/** How many changes wait to be sent, and how many were refused. */
export function useSyncQueue(): QueueDetail {
  const { queue } = useSync()
  const length = useWindowEvent('pillar:queue', () => queue.length, 0)
  const failed = useWindowEvent('pillar:queue', () => queue.failed, 0)
  return useMemo(() => ({ length, failed }), [length, failed])
}
