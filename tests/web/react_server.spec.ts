// Rendering where there is no window.
import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
import { offlineQueue } from 'pillar-client'
import { RealtimeProvider, useSync, useSyncSubscription } from 'pillar-client/react'
import { describe, expect, test } from 'vitest'
import { Badge } from './apps/react/badge.js'

function Listener(): string {
  useSyncSubscription(['note', 'task'], () => {
    throw new Error('there is nobody to call it')
  })
  return useSync().sessionId
}

describe('on a server', () => {
  test('a page is rendered as one that is about to connect', () => {
    expect('window' in globalThis).toBe(false)
    const options = { refresh: () => true, queue: offlineQueue({ maxEntries: 10 }) }
    const page = createElement(RealtimeProvider, options, createElement(Badge), createElement(Listener))
    expect(renderToString(page)).toBe('<p id="badge">connecting, 0 waiting, 0 failed</p>')
  })

  test('a hook without a provider says what is missing', () => {
    expect(() => renderToString(createElement(Badge))).toThrow('there is no <RealtimeProvider> around this component')
  })
})
