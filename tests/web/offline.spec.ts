// Changes that are made without a network, or with a bad one.
import { describe, expect } from 'vitest'
import { test } from './support/world.js'

describe('without a network', () => {
  test('a change is answered at once, and made later, once', async ({ world }) => {
    const { desk, office } = await world.desk()
    await desk.offline()
    const made = await desk.create('one', { note: 'x' })
    expect(made).toMatchObject({ status: 202, queued: 'create', body: { title: 'one', note: 'x' } })
    expect(made.body).toHaveProperty('id', expect.stringMatching(/^temp-[0-9a-f]{32}$/))
    await desk.untilCounts(1)
    await desk.offline(false)
    await desk.untilCounts(0)
    expect(await office.log()).toEqual(['create one'])
    expect(await desk.told('replayed')).toHaveLength(1)
  })
})
