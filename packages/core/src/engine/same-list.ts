/** Whether both have the same members in the same order, or neither is there. */
export function isSameList(one: readonly string[] | undefined, other: readonly string[] | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  return one === other || (one.length === other.length && one.every((member, index) => member === other[index]))
}
