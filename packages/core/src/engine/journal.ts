import { mostlyBypassedMessage, unknownEvent, warnOnce } from '../errors.ts'
import { type CacheEvent, EVENTS, type EventListener, type EventName } from '../types.ts'

/** What an operator can do about the reasons for which nearly everything may bypass a cache. */
const REMEDIES: Readonly<Record<string, string>> = {
  cookie: "Requests carry a Cookie; see the option cookies: 'ignore', { bypass: [names] } or { key: [names] }.",
  credential: 'Requests carry a header of the option credentials; see whether a proxy adds it to every request.',
  override: 'Requests carry a URL or method override header; see whether a proxy adds it to every request.',
  'client-certificate': 'Requests come with a TLS client certificate.',
  http2: 'Requests come over HTTP/2, which the cache does not serve.',
}

const REQUESTS_TO_JUDGE = 100
const SHARE_TO_WARN = 0.9

/** Counts what happens and tells those who listen. */
export class Journal {
  readonly events = Object.fromEntries(EVENTS.map((name) => [name, 0])) as Record<EventName, number>
  readonly bypasses: Record<string, number> = {}
  readonly #listeners = new Map<EventName, Set<EventListener>>()
  readonly #name: string
  #requests = 0

  constructor(name: string) {
    this.#name = name
  }

  on(event: EventName, listener: EventListener): () => void {
    if (!EVENTS.includes(event)) throw unknownEvent(event, EVENTS)
    const listeners = this.#listeners.get(event) ?? new Set()
    this.#listeners.set(event, listeners.add(listener))
    return () => listeners.delete(listener)
  }

  /** Counts an event. `describe` is called only where somebody listens; a listener that throws is not our fault. */
  note(event: EventName, describe: () => CacheEvent): void {
    this.events[event] += 1
    const listeners = this.#listeners.size === 0 ? undefined : this.#listeners.get(event)
    if (listeners === undefined || listeners.size === 0) return
    const told = describe()
    for (const listener of listeners) {
      try {
        // A listener may be async, whatever its type says.
        const result: unknown = listener(told)
        if (result instanceof Promise) result.catch(() => undefined)
      } catch {
        // Nothing that a listener does may reach a visitor.
      }
    }
  }

  /** Counts a GET or HEAD that came to a cached route. */
  noteRequest(): void {
    this.#requests += 1
  }

  noteBypass(reason: string, describe: () => CacheEvent): void {
    const count = (this.bypasses[reason] ?? 0) + 1
    this.bypasses[reason] = count
    this.note('bypass', describe)
    const remedy = REMEDIES[reason]
    if (remedy === undefined || this.#requests < REQUESTS_TO_JUDGE) return
    const share = count / this.#requests
    if (share > SHARE_TO_WARN) {
      warnOnce('CACHEBACK_MOSTLY_BYPASSED', mostlyBypassedMessage(this.#name, share, reason, remedy))
    }
  }
}
