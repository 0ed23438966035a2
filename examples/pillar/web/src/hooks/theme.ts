// Light or dark: as the system says, until somebody says otherwise here.
import { useCallback, useEffect, useState } from 'react'

type Theme = 'light' | 'dark'

const KEY = 'board theme'

function isTheme(value: string | null): value is Theme {
  return value === 'light' || value === 'dark'
}

function stored(): Theme | undefined {
  try {
    const value = localStorage.getItem(KEY)
    return isTheme(value) ? value : undefined
  } catch {
    return undefined
  }
}

const dark = matchMedia('(prefers-color-scheme: dark)')

export function useTheme(): [Theme, () => void] {
  const [chosen, choose] = useState(stored)
  const [system, setSystem] = useState<Theme>(dark.matches ? 'dark' : 'light')
  useEffect(() => {
    const follow = (): void => setSystem(dark.matches ? 'dark' : 'light')
    dark.addEventListener('change', follow)
    return () => dark.removeEventListener('change', follow)
  }, [])
  const theme = chosen ?? system
  useEffect(() => {
    document.documentElement.dataset['theme'] = theme
  }, [theme])
  const toggle = useCallback(() => {
    const next = theme === 'dark' ? 'light' : 'dark'
    choose(next)
    try {
      localStorage.setItem(KEY, next)
    } catch {
      // Then it holds until the page is closed.
    }
  }, [theme])
  return [theme, toggle]
}
