/** Calls `wake` when there is a network again, or somebody looks at the page, until `signal` is aborted. */
export function onWakes(wake: () => void, signal: AbortSignal): void {
  for (const name of ['online', 'focus', 'pageshow']) addEventListener(name, wake, { signal })
  const look = (): void => void (document.visibilityState === 'visible' && wake())
  document.addEventListener('visibilitychange', look, { signal })
}
