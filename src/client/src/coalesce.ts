/**
 * Has `work`, a fetch of what is shown say, done once at a time: what is asked for meanwhile is done once more behind it. So
 * an older answer never takes the place of a newer one, and a hundred events make two fetches. What is returned settles with
 * a run that began after the call.
 */
export function coalesce(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined

  function run(): Promise<void> {
    next = undefined
    return (running = work().finally(() => (running = undefined)))
  }

  return () => (running === undefined ? run() : (next ??= running.catch(() => {}).then(run)))
}
