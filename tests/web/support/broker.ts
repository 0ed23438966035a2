// The real broker, as a child process.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { access, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { until } from './wait.js'

const source = process.env['PILLAR_SOURCE'] ?? fileURLToPath(new URL('../../..', import.meta.url))
const binary = process.env['PILLAR_BINARY'] ?? join(source, 'build/pillar')

export interface BrokerOptions {
  /** Its working directory, where the database is. */
  dir: string
  /** By default any free one. */
  port?: number
  args?: string[]
  /** Relative to the checkout; by default the notes. */
  script?: string
  /** Signs sessions; by default the same for all brokers. */
  secret?: string
}

export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

export const CLEAN: Exit = { code: 0, signal: null }

function environment(secret: string): NodeJS.ProcessEnv {
  const isOurs = (name: string): boolean => name.startsWith('PILLAR_') || name === 'DATABASE_URL'
  const others = Object.entries(process.env).filter(([name]) => !isOurs(name))
  return { ...Object.fromEntries(others), PILLAR_SECRET: secret }
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const connected = await once(socket, 'connect').then(
    () => true,
    () => false,
  )
  socket.destroy()
  return connected
}

export class Broker {
  /** What it wrote to standard error. */
  log = ''
  exit: Exit | undefined
  private output = ''
  /** The test knows how it ends. */
  private expected = false
  private readonly process: ChildProcess

  /** Starts it, and does not wait until it listens. */
  constructor(readonly options: BrokerOptions) {
    const script = join(source, options.script ?? 'tests/web/apps/notes/app.lua')
    const args = ['run', script, '--listen', `127.0.0.1:${options.port ?? 0}`]
    args.push('--database', `sqlite:${join(options.dir, 'app.db')}`)
    args.push('--retry-min', '20ms', '--retry-max', '40ms', '--drain-window', '0')
    args.push(...(options.args ?? []))
    // It ends with the test, even with one that is killed.
    this.process = spawn('setpriv', ['--pdeathsig', 'KILL', binary, ...args], {
      cwd: options.dir,
      env: environment(options.secret ?? 'a secret that all brokers of the tests have'),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.process.stdout?.on('data', (data) => (this.output += data))
    this.process.stderr?.on('data', (data) => (this.log += data))
    this.process.on('error', (problem) => (this.log += problem))
    this.process.on('close', (code, signal) => (this.exit = { code, signal }))
  }

  get port(): number {
    return Number(/listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(this.output)?.[1])
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`
  }

  async listening(): Promise<this> {
    await until('the broker to listen', () => this.port || this.exit)
    if (!this.port) throw new Error(`the broker did not start:\n${this.output}${this.log}`)
    return this
  }

  /** One more on the same port and database. */
  successor(changes: Partial<BrokerOptions> = {}): Broker {
    return new Broker({ ...this.options, port: this.port, ...changes })
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL')
    await this.ended()
  }

  /** Tells it to end, and waits until it listens no more. */
  async drain(): Promise<void> {
    this.process.kill('SIGTERM')
    await until('the broker to stop listening', async () => !(await listens(this.port)))
  }

  async ended(): Promise<Exit> {
    this.expected = true
    return until(
      'the broker to end',
      () => this.exit,
      () => this.log,
    )
  }

  /** Ends it, if it is still there, and tells what is wrong if it has not ended well. */
  async stop(): Promise<string | undefined> {
    if (this.expected && this.exit) return undefined
    this.process.kill('SIGTERM')
    await this.ended().catch(() => this.kill())
    if (this.exit?.code === 0) return undefined
    return `the broker ended with status ${this.exit?.code}, signal ${this.exit?.signal}:\n${this.log}`
  }

  /** Waits until it has logged this. */
  async says(text: string): Promise<void> {
    await until(
      `the broker to say: ${text}`,
      () => this.log.includes(text),
      () => this.log,
    )
  }

  /** Waits until it has read what has reached it: it answers what came later. */
  async hasRead(): Promise<void> {
    await this.metric('streams')
    await this.metric('streams')
  }

  /** Waits until a handler of /api/wait/:name has begun; `release` lets all of them go on. */
  async begun(name: string): Promise<void> {
    const path = join(this.options.dir, `${name}.begun`)
    await until(`${name} to begin`, () =>
      access(path).then(
        () => true,
        () => false,
      ),
    )
  }

  async release(): Promise<void> {
    await writeFile(join(this.options.dir, 'go'), '')
  }

  /** What apps/offline answers to changes from now on. */
  async trouble(name: string): Promise<void> {
    await writeFile(join(this.options.dir, 'trouble'), name)
  }

  /** What handlers of changes were called for, by apps/offline, one after the other. */
  async calls(): Promise<string[]> {
    const text = await readFile(join(this.options.dir, 'calls'), 'utf8').catch(() => '')
    return text.split('\n').filter(Boolean)
  }

  /** Waits until there were so many. */
  async begunCalls(count: number): Promise<void> {
    await until(`${count} calls`, async () => (await this.calls()).length >= count)
  }

  /** One figure of GET /metrics. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.origin}/metrics`)).text()
    return Number(new RegExp(`^pillar_${name} (\\d+)$`, 'm').exec(text)?.[1])
  }
}
