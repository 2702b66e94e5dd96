// Asks Countersign over Kafka whether a login needs MFA, and settles it when the browser is back.
// Law: a login is allowed only by an answer that says so; silence, an outage and whatever is unknown are none.

import { randomUUID } from 'node:crypto'
import { Partitioners } from 'kafkajs'

// What each type of result says. A type that isn't here, or a result that contradicts its type, is no answer.
const TYPES = new Map([
  ['countersign.login.allowed.v1', { verdict: 'allow', assurances: ['none', 'remembered'] }],
  ['countersign.login.denied.v1', { verdict: 'deny', assurances: ['none'] }],
  ['countersign.login.challenged.v1', { verdict: 'pending', assurances: ['none'], needs: 'challenge_url' }],
  ['countersign.login.delegated.v1', { verdict: 'pending', assurances: ['none'], needs: 'provider' }],
  ['countersign.challenge.passed.v1', { verdict: 'allow', assurances: ['mfa', 'duo_bypass'], outcome: true }],
  ['countersign.challenge.failed_open.v1', { verdict: 'allow', assurances: ['fail_open'], outcome: true }],
  ['countersign.challenge.denied.v1', { verdict: 'deny', assurances: ['none'], outcome: true }],
  ['countersign.challenge.expired.v1', { verdict: 'deny', assurances: ['none'], outcome: true }],
  ['countersign.challenge.failed.v1', { verdict: 'deny', assurances: ['none'], outcome: true }],
])

const REMEMBERED_DENIALS = 10_000

export class NoAnswerError extends Error {}

export class CountersignClient {
  #kafka
  #source
  #tenant
  #topics
  #patience
  #producer
  #consumer
  #waiting = new Map() // event id → the calls that wait for its result
  #denials = new Map() // event id → the outcome that denied it, oldest first

  // `kafka` is kafkajs' own Kafka, with brokers, TLS and login; `source` is the same URI in all your processes.
  constructor(kafka, { source, tenant, topics, patienceMs = 5_000 }) {
    this.#kafka = kafka
    this.#source = source
    this.#tenant = tenant
    this.#topics = { loginEvents: 'login-events', mfaResults: 'mfa-results', ...topics }
    this.#patience = patienceMs
  }

  // Connects; every result that is published from here on is seen.
  async open() {
    const topic = this.#topics.mfaResults
    const admin = this.#kafka.admin()
    await admin.connect()
    const ends = await admin.fetchTopicOffsets(topic).finally(() => admin.disconnect())

    // kafkajs reads in groups only, so each process has one of its own: every process sees every result.
    this.#consumer = this.#kafka.consumer({
      groupId: `countersign-client-${randomUUID()}`,
      metadataMaxAge: 10_000, // how soon a partition that is added is noticed
      maxWaitTimeInMs: 1_000, // how long closing waits for a fetch without results
    })
    await this.#consumer.connect()
    // It concerns only partitions that are added later; the others begin at the ends known from above.
    await this.#consumer.subscribe({ topic, fromBeginning: true })
    const running = this.#consumer.run({ eachMessage: async ({ message }) => this.#take(message) })
    for (const { partition, high } of ends) this.#consumer.seek({ topic, partition, offset: high })
    await running

    this.#producer = this.#kafka.producer({
      idempotent: true,
      createPartitioner: Partitioners.DefaultPartitioner, // murmur2, as Kafka's own client
    })
    await this.#producer.connect()
  }

  async close() {
    for (const calls of this.#waiting.values()) {
      for (const call of calls) call.reject(new NoAnswerError('the client was closed'))
    }
    await this.#consumer?.disconnect()
    await this.#producer?.disconnect()
  }

  // Asks what a login owes. The same eventId, time and data again are the same login, and get the same answer.
  async submit(login, { eventId = randomUUID(), time = new Date() } = {}) {
    const subject = login.user.user_id
    const call = { subject, outcomeOnly: false }
    const event = { type: 'countersign.login.attempted.v1', id: eventId, time, data: login }
    const answer = await this.#ask(eventId, call, event)
    return this.#denial(eventId, subject) ?? answer // a pending never overrides a denial
  }

  // Settles a challenge. eventId and userId come from this browser's own session, the code from the URL.
  async complete(eventId, code, userId) {
    const data = { event_id: eventId, code, user: { user_id: userId } }
    const event = { type: 'countersign.login.returned.v1', id: randomUUID(), time: new Date(), data }
    return this.#ask(eventId, { subject: userId, outcomeOnly: true }, event)
  }

  async #ask(eventId, call, event) {
    const denial = this.#denial(eventId, call.subject)
    if (denial) return denial

    const calls = this.#waiting.get(eventId) ?? new Set()
    this.#waiting.set(eventId, calls.add(call))
    let timer
    try {
      return await new Promise((resolve, reject) => {
        Object.assign(call, { resolve, reject })
        const late = () => reject(new NoAnswerError(`no answer within ${this.#patience} ms`))
        timer = setTimeout(late, this.#patience)
        this.#publish(event, call.subject).catch(reject)
      })
    } finally {
      clearTimeout(timer)
      calls.delete(call)
      if (calls.size === 0) this.#waiting.delete(eventId)
    }
  }

  #publish({ type, id, time, data }, userId) {
    const message = {
      key: `${this.#tenant}:${userId}`,
      value: JSON.stringify(data),
      headers: {
        'content-type': 'application/json',
        ce_specversion: '1.0',
        ce_type: type,
        ce_source: this.#source,
        ce_id: id,
        ce_time: time.toISOString(),
        ce_tenantid: this.#tenant,
      },
    }
    return this.#producer.send({ topic: this.#topics.loginEvents, acks: -1, messages: [message] })
  }

  #take({ value, headers = {} }) {
    const header = (name) => headers[name]?.toString()
    if (header('ce_tenantid') !== this.#tenant || header('ce_causationsource') !== this.#source) return
    const eventId = header('ce_causationid')
    const calls = this.#waiting.get(eventId)
    const type = TYPES.get(header('ce_type'))
    const denies = type?.outcome && type.verdict === 'deny' && !this.#denials.has(eventId)
    if (!calls && !denies) return // others' results, and repeats

    const answer = this.#read(eventId, header('ce_type'), type, value)
    if (!answer) {
      console.error(`a result was refused: event_id=${JSON.stringify(eventId)}`) // ids only
      return
    }
    if (denies) this.#remember(answer)
    for (const call of calls ?? []) {
      if (call.subject === answer.subject && (type.outcome || !call.outcomeOnly)) call.resolve(answer)
    }
  }

  #read(eventId, typeName, type, value) {
    let body
    try {
      body = JSON.parse(value)
    } catch {
      return undefined
    }
    const understood =
      type !== undefined &&
      body?.tenant === this.#tenant &&
      body.event_id === eventId &&
      body.verdict === type.verdict &&
      type.assurances.includes(body.assurance) &&
      (type.needs === undefined || typeof body[type.needs] === 'string')
    if (!understood) return undefined
    return {
      eventId,
      subject: body.subject,
      type: typeName.slice('countersign.'.length, -'.v1'.length),
      allowed: type.verdict === 'allow',
      reason: body.reason,
      assurance: body.assurance,
      challengeUrl: body.challenge_url,
      provider: body.provider,
    }
  }

  // An allow is never remembered: it belongs to one browser's return with its code.
  #remember(denial) {
    this.#denials.set(denial.eventId, denial)
    if (this.#denials.size > REMEMBERED_DENIALS) this.#denials.delete(this.#denials.keys().next().value)
  }

  #denial(eventId, subject) {
    const denial = this.#denials.get(eventId)
    return denial?.subject === subject ? denial : undefined
  }
}
