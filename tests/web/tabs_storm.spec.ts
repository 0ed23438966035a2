// Tabs come and go at random, while events flow and connections break: each hears all that happened since it came.
import { describe, expect } from 'vitest'
import { Flow } from './support/flow.js'
import type { Live } from './support/live.js'
import { random } from './support/random.js'
import { until } from './support/wait.js'
import { test } from './support/world.js'

const SEEDS = (process.env['PILLAR_STORM_SEEDS'] ?? '1,2,3').split(',').map(Number)
const STEPS = 40
const MOST_TABS = 8

interface Member {
  tab: Live
  /** How many notes its page knew when it came. */
  known: number
}

describe('a storm of tabs', () => {
  for (const seed of SEEDS) {
    test(`loses nothing (seed ${seed})`, async ({ world }) => {
      const { broker, proxy, ada, grace } = await world.liveScene()
      const pick = random(seed)
      const flow = new Flow(grace)
      const members: Member[] = [{ tab: ada, known: 0 }]
      const any = (): Member => members[pick(members.length)] ?? { tab: ada, known: 0 }

      async function begin(tab: Live): Promise<Member> {
        const { position, body } = await until('an answer', () => tab.send('GET', '/api/notes').catch(() => undefined))
        await tab.begin({}, position ?? undefined)
        return { tab, known: (body as string[]).length }
      }

      const steps: (() => Promise<unknown>)[] = [
        async () => {
          if (members.length < MOST_TABS) members.push(await begin(await (await any().tab.sibling()).open()))
        },
        async () => {
          if (members.length > 1) await members.splice(pick(members.length), 1)[0]?.tab.page.close()
        },
        async () => {
          const member = any()
          Object.assign(member, await begin(await member.tab.reload()))
        },
        () => any().tab.happen('offline', 'online'),
        () => any().tab.happen('focus'),
        async () => {
          const { tab } = any()
          await tab.call('release')
          await tab.call('connect')
        },
        async () => proxy.cut('end'),
        async () => proxy.cut('reset'),
        async () => proxy.cutAfter(1 + pick(2000), 'reset'),
      ]
      for (let n = 0; n < STEPS; n++) {
        await steps[pick(steps.length)]?.()
        await flow.untilWritten(1 + pick(5))
      }
      await flow.stop()
      const fence = await grace.fence()
      for (const { tab, known } of members) await tab.expectHeardUpTo(fence, flow.written.slice(known))
      await until('one stream', async () => (await broker.metric('streams')) === 1)
      expect(flow.written.length).toBeGreaterThan(STEPS)
    })
  }
})
