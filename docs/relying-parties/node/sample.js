// A shop without its web pages: it reads what browsers do, a line each, and prints what it answers them.
// Law: the login's event id comes from the browser's own session; from the URL comes the code alone.
//
//   login BROWSER USER     the user has passed the first factor in this browser
//   return BROWSER CODE    the browser is back at the return URL, with ?mfa_code=CODE

import { createInterface } from 'node:readline'
import { Kafka, logLevel } from 'kafkajs'
import { CountersignClient } from './countersign.js'

const env = process.env
const kafka = new Kafka({ brokers: [env.KAFKA ?? 'localhost:9092'], logLevel: logLevel.ERROR })
const client = new CountersignClient(kafka, {
  source: 'https://shop.example.com',
  tenant: 'acme',
  topics: { loginEvents: env.LOGIN_EVENTS ?? 'login-events', mfaResults: env.MFA_RESULTS ?? 'mfa-results' },
  patienceMs: Number(env.PATIENCE_MS ?? 5_000),
})
const sessions = new Map() // browser → the login that it is in the middle of

async function login(browser, userId) {
  const decision = await client.submit({
    user: { user_id: userId },
    client: { client_id: 'shop' },
    login: { browser_id: browser, return_url: 'https://shop.example.com/return' },
  })
  if (decision.challengeUrl) sessions.set(browser, { eventId: decision.eventId, userId })
  return decision
}

async function comeBack(browser, code) {
  const session = sessions.get(browser)
  if (!session) throw new Error('this browser has no login under way')
  const outcome = await client.complete(session.eventId, code, session.userId)
  sessions.delete(browser)
  return outcome
}

try {
  await client.open()
  for await (const line of createInterface({ input: process.stdin })) {
    const [command, browser, argument] = line.split(' ')
    const { eventId, subject, ...answer } = await (command === 'login' ? login : comeBack)(browser, argument)
    console.log(JSON.stringify(answer))
  }
} catch (error) {
  console.error(`not allowed: ${error.message}`)
  process.exitCode = 1
} finally {
  process.stdin.destroy() // or it would keep the process
  await client.close()
}
