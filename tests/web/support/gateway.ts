// What may stand before a broker, and speaks HTTP itself: a gateway that answers in its place, or holds back what it says.
import { once } from 'node:events'
import { createServer, request as ask, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Reply {
  status: number
  headers?: Record<string, string>
  body?: string
}

export class Gateway {
  /** How often a stream was asked for, and when. Milliseconds. */
  readonly asked: number[] = []
  /** What is said to those who ask for a stream, in place of the broker's answer. */
  reply: Reply | undefined
  /** Whether bodies of streams are kept back, as a proxy does that waits for their end. */
  buffering = false
  private readonly server: Server

  private constructor(private readonly target: number) {
    this.server = createServer((request, response) => this.pass(request, response))
  }

  static async start(target: number): Promise<Gateway> {
    const gateway = new Gateway(target)
    gateway.server.listen(0, '127.0.0.1')
    await once(gateway.server, 'listening')
    return gateway
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  close(): void {
    this.server.close()
    this.server.closeAllConnections()
  }

  private pass(request: IncomingMessage, response: ServerResponse): void {
    const isStream = request.url?.startsWith('/api/events') === true
    if (isStream) this.asked.push(Date.now())
    if (isStream && this.reply) {
      const { status, headers, body } = this.reply
      response.writeHead(status, headers).end(body)
      return
    }
    const { method, url, headers } = request
    const on = ask({ port: this.target, host: '127.0.0.1', method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers)
      if (isStream && this.buffering) answer.resume()
      else answer.pipe(response)
    })
    on.on('error', () => response.destroy())
    response.on('close', () => on.destroy())
    request.pipe(on)
  }
}
