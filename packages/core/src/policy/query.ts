import type { QueryRule } from '../options.ts'

/**
 * The query as the rule keys it, with its `?`; '' where nothing of it is in the key. Bytes are compared as sent: a
 * parameter that is written otherwise (`%70age`) is another parameter, and what is not in the key is hidden from the
 * handler, so the two can never be confused. Only `&` separates.
 */
export function keyedQuery(rule: QueryRule, query: string): string {
  if (rule === true || query === '') return query
  if (rule === false) return ''
  const parameters = query.slice(1).split('&')
  const names = 'ignore' in rule ? rule.ignore : rule
  const kept = parameters.filter((parameter) => names.includes(nameOf(parameter)) !== 'ignore' in rule)
  if (kept.length === parameters.length && 'ignore' in rule) return query
  if (kept.length === 0) return ''
  return `?${('ignore' in rule ? kept : sortedByName(kept)).join('&')}`
}

/** Whether the rule keeps from the handler something that this query carries. */
export function hidesQuery(rule: QueryRule, query: string, keyed: string): boolean {
  if (rule === true || keyed === query) return false
  // Sorting alone hides nothing: the same parameters, in another order.
  return rule === false || 'ignore' in rule || keyed.length !== query.length
}

function nameOf(parameter: string): string {
  const equals = parameter.indexOf('=')
  return equals === -1 ? parameter : parameter.slice(0, equals)
}

/** Stable, so that repeated parameters keep the order in which a handler reads them. */
function sortedByName(parameters: readonly string[]): string[] {
  return parameters.toSorted((one, other) => {
    const [a, b] = [nameOf(one), nameOf(other)]
    return a < b ? -1 : Number(a > b)
  })
}
