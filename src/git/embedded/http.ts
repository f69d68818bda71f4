/** The HTTP client of isomorphic-git: it follows no redirect, so a password goes to the address of the remote only. */

import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { GitHttpRequest, GitHttpResponse } from 'isomorphic-git'

/** A connection on which nothing moves for so long is dead, as with git's `http.lowSpeedTime` here. */
const silenceMs = 300_000

/** Answers a request. Throws Node's system error where there is no connection, or nothing moves on it. */
export async function request({
  url,
  method = 'GET',
  headers = {},
  body,
}: GitHttpRequest): Promise<GitHttpResponse> {
  const parts: Uint8Array[] = []
  for await (const part of body ?? []) parts.push(part)
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const sized = method === 'GET' ? headers : { ...headers, 'content-length': String(length) }
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const start = /^https:/i.test(url) ? httpsRequest : httpRequest
    const sent = start(url, { method, headers: sized, agent: false }, resolve)
    sent.on('error', reject)
    // So ends what asks for another protocol.
    sent.on('close', () => reject(new Error('Connection reset: it was closed without an answer')))
    sent.setTimeout(silenceMs, () => sent.destroy(new Error('Connection timed out: nothing moved on it')))
    for (const part of parts) sent.write(part)
    sent.end()
  })
  const { statusCode = 0, statusMessage = '' } = response
  const answered = Object.entries(response.headers).map(([name, value]) => [name, String(value)])
  return {
    url,
    method,
    statusCode,
    statusMessage,
    headers: Object.fromEntries(answered),
    body: response[Symbol.asyncIterator](),
  }
}
