// A network between a browser and a broker, which can fail in the ways that networks do.
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

export type Ending = 'end' | 'reset'

interface Connection {
  request: string
  response: string
  ended: Ending | undefined
}

export interface Stream {
  /** The head that asked for it. */
  request: string
  response: string
  /** How the broker has ended it, if it has. */
  ended: Ending | undefined
}

interface Pair {
  client: Socket
  server: Socket
  connection: Connection
}

function finish(socket: Socket, how: Ending): void {
  if (how === 'end') socket.end()
  else socket.resetAndDestroy()
}

export class Proxy {
  /** All that there were. */
  private readonly connections: Connection[] = []
  private readonly pairs = new Set<Pair>()
  private listener: Server | undefined
  private held = false
  private breaking = false
  /** How many connections were broken at once. */
  broken = 0
  private allowance = Infinity
  private requestBytes = Infinity
  private cutHow: Ending = 'reset'
  port = 0

  private constructor(private readonly target: number) {}

  /** Passes everything on to 127.0.0.1 and the port `target`. */
  static async start(target: number): Promise<Proxy> {
    const proxy = new Proxy(target)
    await proxy.accept()
    return proxy
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** What those that asked for the event stream were answered; it is the last answer of a connection. */
  get streams(): Stream[] {
    return this.connections
      .filter(({ request }) => request.includes('GET /api/events'))
      .map(({ request, response, ended }) => ({
        request: request.slice(request.lastIndexOf('GET /api/events')),
        response: response.slice(response.lastIndexOf('HTTP/1.1 ')),
        ended,
      }))
  }

  /** How many streams there are now, as far as the network can tell. */
  get open(): number {
    return [...this.pairs].filter(({ connection }) => connection.request.includes('GET /api/events')).length
  }

  /** How long the head of the last answer was that has gone through. Bytes. */
  get headBytes(): number {
    const { response = '' } = this.connections.findLast((one) => one.response !== '') ?? {}
    const last = response.slice(response.lastIndexOf('HTTP/1.1 '))
    return last.indexOf('\r\n\r\n') + 4
  }

  /** Refuses new connections; those that there are go on. */
  refuse(): void {
    this.listener?.close()
    this.listener = undefined
  }

  /** Takes new connections, and breaks each at once, until `mend`. */
  breakAll(): void {
    this.breaking = true
  }

  mend(): void {
    this.breaking = false
  }

  /** Takes connections again. */
  async accept(): Promise<void> {
    this.listener = createServer({ allowHalfOpen: true }, (client) => this.join(client)).listen(this.port, '127.0.0.1')
    await once(this.listener, 'listening')
    this.port = (this.listener.address() as AddressInfo).port
  }

  /** Breaks the connections that there are. */
  cut(how: Ending = 'reset'): void {
    for (const { client, server } of this.pairs) {
      finish(client, how)
      server.resetAndDestroy()
    }
    this.pairs.clear()
  }

  /** Breaks them once `bytes` more have gone to clients. */
  cutAfter(bytes: number, how: Ending): void {
    this.allowance = bytes
    this.cutHow = how
  }

  /** From now on the broker gets this much of what a new connection sends, and never the rest. */
  loseRequestsAfter(bytes: number): void {
    this.requestBytes = bytes
  }

  /** Lets no byte pass, in either direction, until `release`. */
  hold(): void {
    this.held = true
    for (const { client, server } of this.pairs) {
      client.pause()
      server.pause()
    }
  }

  release(): void {
    this.held = false
    for (const { client, server } of this.pairs) {
      client.resume()
      server.resume()
    }
  }

  close(): void {
    this.refuse()
    this.cut()
  }

  private join(client: Socket): void {
    if (this.breaking) {
      this.broken++
      client.resetAndDestroy()
      return
    }
    const server = connect({ port: this.target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    const connection: Connection = { request: '', response: '', ended: undefined }
    const pair = { client: client.setNoDelay(), server, connection }
    this.connections.push(connection)
    this.pairs.add(pair)
    let left = this.requestBytes
    client.on('data', (data) => {
      const part = data.subarray(0, left)
      left -= part.length
      connection.request += part.toString('latin1')
      server.write(part)
    })
    server.on('data', (data) => this.toClient(pair, connection, data))
    client.on('end', () => server.end())
    server.on('end', () => {
      connection.ended ??= 'end'
      client.end()
    })
    client.on('error', () => server.resetAndDestroy())
    server.on('error', () => {
      connection.ended ??= 'reset'
      client.resetAndDestroy()
    })
    client.on('close', () => this.pairs.delete(pair))
    if (this.held) this.hold()
  }

  private toClient(pair: Pair, connection: Connection, data: Buffer): void {
    const part = data.subarray(0, this.allowance)
    this.allowance -= part.length
    connection.response += part.toString('latin1')
    if (this.allowance > 0) {
      pair.client.write(part)
      return
    }
    this.allowance = Infinity
    pair.server.removeAllListeners('data').destroy()
    pair.client.write(part, () => finish(pair.client, this.cutHow))
  }
}
