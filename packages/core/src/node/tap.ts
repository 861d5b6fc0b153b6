import type { FieldLines } from '../policy/fields.ts'
import type { Head } from '../policy/storable.ts'
import type { Outlet } from './outlet.ts'

/** What becomes of a head that is about to be written. */
export type HeadPlan =
  /** It goes out, with these fields put in. */
  | { readonly kind: 'pass'; readonly fields: FieldLines }
  /** The visitor has it already: 304 for him, while the body goes on into the capture. */
  | { readonly kind: 'not-modified'; readonly fields: FieldLines }
  /** Something else goes out in its place; the rest of the response falls on deaf ears. */
  | { readonly kind: 'stand-in'; readonly serve: (outlet: Outlet) => void }

/** The fields of a written head whose lines have this form (name, value); more, where nothing else is known. */
export type WrittenFields = (lines: RegExp) => FieldLines

/** Who listens to a response on its way to the wire. */
export interface Tap {
  /** While true, `write` reports true whatever the visitor's pace: the capture bounds what may wait for him. */
  readonly isCapturing: boolean
  /** Whether the body is captured, or may come to be. */
  readonly mayCapture: boolean
  /** The head, just before it is written. */
  onHead(head: Head): HeadPlan
  /** The fields of the head, once every layer outside has had its say. */
  onHeadWritten(written: WrittenFields): void
  /** Likewise, where something else went out in the place of the app's response. */
  onReplaced(written: WrittenFields): void
  /** The head was refused by Node (an invalid field, say): the app will write another, or none. */
  onHeadRefused(): void
  /** A layer outside has taken a chunk and holds the head back: what it will make of them is its own affair. */
  onHeadDelayed(): void
  /** Whether something else may go out in the place of a response with this status; asked where the app writes no head of its own. */
  mayReplace(status: number): boolean
  /** Whether a 200 may become a 304 for its visitor. */
  readonly hasConditions: boolean
  /** A chunk that was written. `isOwn`: its bytes were made here, and nobody will write into them. */
  onChunk(chunk: unknown, encoding: unknown, isOwn: boolean): void
  /** The app has ended the response. `visitorWasThere`: his socket was still open. */
  onEnd(visitorWasThere: boolean): void
  /** The connection has closed before the end. `byApp`: the app has broken it off itself. */
  onClose(byApp: boolean): void
}

/** The head goes out as it is. */
export const PASS: HeadPlan = { kind: 'pass', fields: [] }

/** Hears nothing, changes nothing. */
export const INERT: Tap = {
  isCapturing: false,
  mayCapture: false,
  hasConditions: false,
  onHead: () => PASS,
  onHeadWritten: () => undefined,
  onReplaced: () => undefined,
  onHeadRefused: () => undefined,
  onHeadDelayed: () => undefined,
  mayReplace: () => false,
  onChunk: () => undefined,
  onEnd: () => undefined,
  onClose: () => undefined,
}

/** Puts fields into the head, and hears nothing else. */
export function passing(fieldsFor: (head: Head) => FieldLines): Tap {
  return { ...INERT, onHead: (head) => ({ kind: 'pass', fields: fieldsFor(head) }) }
}
