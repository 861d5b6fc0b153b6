/** A copy in memory of its own: what bytes lie in (a client's read buffer, Node's pool) is not kept alive by it. */
export function ownBytes(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  copy.set(bytes)
  return copy
}
