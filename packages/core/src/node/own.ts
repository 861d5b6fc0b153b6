/**
 * What the cache knows of an object that is not its own (a response), kept on that object under a symbol. Not in a WeakMap:
 * V8 takes the values of an old one for reachable until the next full collection (docs/decisions/short-lived-requests.md).
 */
export class Own<Value> {
  readonly #name = Symbol('cacheback')

  get(object: object): Value | undefined {
    return (object as Record<symbol, Value | undefined>)[this.#name]
  }

  set(object: object, value: Value): void {
    ;(object as Record<symbol, Value | undefined>)[this.#name] = value
  }

  has(object: object): boolean {
    return this.get(object) !== undefined
  }
}

/**
 * The one function that does nothing. A function literal on the right of `object.property =` is another such trap: V8 takes
 * it for a method and puts it among the old, where it keeps all that it refers to. Functions of a request have a name of
 * their own first.
 */
export const nothing = (): void => undefined
