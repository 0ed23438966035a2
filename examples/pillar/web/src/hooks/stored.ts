// A choice that is remembered in this browser.
import { useCallback, useState } from 'react'

export function useStored(key: string, initial: string): [string, (value: string) => void] {
  const [value, setValue] = useState(() => {
    try {
      return localStorage.getItem(key) ?? initial
    } catch {
      return initial
    }
  })
  const store = useCallback(
    (next: string) => {
      setValue(next)
      try {
        localStorage.setItem(key, next)
      } catch {
        // Then it holds until the page is closed.
      }
    },
    [key],
  )
  return [value, store]
}
