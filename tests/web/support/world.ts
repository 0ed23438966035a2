// What a test has: brokers, proxies, and people with a browser; all of it ends with the test.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions } from 'playwright-core'
import { test as base } from 'vitest'
import { Broker, type BrokerOptions } from './broker.js'
import { Gateway } from './gateway.js'
import { Live, QUICK } from './live.js'
import type { LiveOptions } from './live_page.js'
import { Person } from './person.js'
import { Desk, Office } from './desk.js'
import type { PageOptions } from './offline_page.js'
import { Proxy } from './proxy.js'
import { Tab } from './tab.js'

// This list takes the place of playwright's own. The pop-ups of the address bar, which nobody sees, are two pages more for
// each of ours; the others ask servers elsewhere, or look around in the network.
const withoutFeatures =
  '--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup,' +
  'OptimizationHints,MediaRouter,DialMediaRouteProvider,Translate,HttpsUpgrades'

// A test does not outlive the runner that it reports to; nor do its brokers and its browser.
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'))

export interface Scene {
  broker: Broker
  proxy: Proxy
  ada: Tab
  grace: Tab
}

export interface LiveScene {
  broker: Broker
  proxy: Proxy
  ada: Live
  grace: Person
}

export interface DeskScene {
  broker: Broker
  proxy: Proxy
  desk: Desk
  office: Office
}

export class World {
  private readonly brokers: Broker[] = []
  private readonly proxies: { close(): void }[] = []

  constructor(
    private readonly browser: Browser,
    private readonly dir: string,
  ) {}

  async broker(...args: string[]): Promise<Broker> {
    return this.keep(new Broker({ dir: this.dir, args })).listening()
  }

  /** A broker with the task board. */
  async board(...args: string[]): Promise<Broker> {
    return this.keep(new Broker({ dir: this.dir, args, script: 'examples/pillar/app.lua' })).listening()
  }

  /** A broker with the shared list. */
  async quickstart(): Promise<Broker> {
    return this.keep(new Broker({ dir: this.dir, script: 'examples/quickstart/app.lua' })).listening()
  }

  /** A browser of somebody else: with cookies of its own, and nobody signed in. */
  async context(options: BrowserContextOptions = {}): Promise<BrowserContext> {
    return this.browser.newContext(options)
  }

  /** One more broker on the port and the database of `before`. It may not listen yet. */
  successor(before: Broker, changes?: Partial<BrokerOptions>): Broker {
    return this.keep(before.successor(changes))
  }

  async proxy(broker: Broker): Promise<Proxy> {
    const proxy = await Proxy.start(broker.port)
    this.proxies.push(proxy)
    return proxy
  }

  async gateway(broker: Broker): Promise<Gateway> {
    const gateway = await Gateway.start(broker.port)
    this.proxies.push(gateway)
    return gateway
  }

  person(at: { origin: string }, user: string, session?: string): Promise<Person> {
    return Person.signIn(at, user, session)
  }

  /** A tab of a browser of its own on the page with the client, loaded, in which `user` is signed in, if any. */
  async loaded(at: { origin: string }, user?: string, script?: string): Promise<Live> {
    const context = await this.browser.newContext()
    if (script !== undefined) await context.addInitScript(script)
    const live = await new Live(await context.newPage(), at.origin).open()
    return user === undefined ? live : live.signIn(user)
  }

  /** The same, whose stream is open. */
  async live(at: { origin: string }, options: LiveOptions = QUICK, script?: string): Promise<Live> {
    const live = await this.loaded(at, 'ada', script)
    await live.begin(options)
    return live.untilStatus('live')
  }

  /** Ada with the client behind a proxy, and Grace, who writes to her. */
  async liveScene(options: LiveOptions = QUICK, args: string[] = [], script?: string): Promise<LiveScene> {
    const broker = await this.broker(...args)
    const proxy = await this.proxy(broker)
    const [ada, grace] = await Promise.all([this.live(proxy, options, script), this.person(broker, 'grace')])
    return { broker, proxy, ada, grace }
  }

  /** A broker with apps/offline, a proxy before it, and a tab of Ada's that comes from there. */
  async desk(options: PageOptions = {}, ...args: string[]): Promise<DeskScene> {
    const script = 'tests/web/apps/offline/app.lua'
    const broker = await this.keep(new Broker({ dir: this.dir, script, args })).listening()
    const proxy = await this.proxy(broker)
    const desk = await new Desk(await (await this.browser.newContext()).newPage()).open(proxy.origin, options)
    await desk.signIn('ada')
    await desk.reload()
    return { broker, proxy, desk, office: await Office.at(broker.origin) }
  }

  /** A tab with cookies of its own, in which nobody is signed in. */
  async stranger(at: { origin: string }, session: string): Promise<Tab> {
    const context = await this.browser.newContext()
    const page = await context.newPage()
    await page.goto(at.origin)
    return new Tab(page, session)
  }

  /** One in which `user` is signed in. */
  async tab(at: { origin: string }, user: string, session: string): Promise<Tab> {
    const tab = await this.stranger(at, session)
    await tab.signIn(user)
    return tab
  }

  /** Ada, whose tab comes from `at` and listens, and Grace, whose tab comes from the broker itself. */
  async people(broker: Broker, at: { origin: string } = broker): Promise<{ ada: Tab; grace: Tab }> {
    const [ada, grace] = await Promise.all([this.tab(at, 'ada', 'laptop'), this.tab(broker, 'grace', 'desk')])
    return { ada: await ada.listen(), grace }
  }

  /** A broker with these flags, and Ada behind a proxy. */
  async scene(...args: string[]): Promise<Scene> {
    const broker = await this.broker(...args)
    const proxy = await this.proxy(broker)
    return { broker, proxy, ...(await this.people(broker, proxy)) }
  }

  /** Fails if a broker does not end well. */
  async end(): Promise<void> {
    await Promise.allSettled(this.browser.contexts().map((context) => context.close()))
    for (const proxy of this.proxies) proxy.close()
    const problems = await Promise.all(this.brokers.map((broker) => broker.stop()))
    await rm(this.dir, { recursive: true })
    const problem = problems.find((one) => one !== undefined)
    if (problem !== undefined) throw new Error(problem)
  }

  private keep(broker: Broker): Broker {
    this.brokers.push(broker)
    return broker
  }
}

function launch(ignoreDefaultArgs: string[] = []): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env['PILLAR_CHROMIUM'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-background-networking', withoutFeatures],
    ignoreDefaultArgs,
  })
}

/** Has a world whose browser keeps pages for when somebody goes back, as browsers do that no tool has started. */
export async function withPageCache(use: (world: World) => Promise<void>): Promise<void> {
  const browser = await launch(['--disable-back-forward-cache'])
  const world = new World(browser, await mkdtemp(join(tmpdir(), 'pillar-web-')))
  await use(world)
  await world.end()
  await browser.close()
}

export const test = base.extend<{ browser: Browser; world: World }>({
  browser: [
    async ({}, use) => {
      const browser = await launch()
      await use(browser)
      await browser.close()
    },
    { scope: 'file' },
  ],
  world: async ({ browser }, use) => {
    const world = new World(browser, await mkdtemp(join(tmpdir(), 'pillar-web-')))
    await use(world)
    await world.end()
  },
})
