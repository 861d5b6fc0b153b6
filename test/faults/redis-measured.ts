import { afterAll, expect } from 'vitest'

type Row = Readonly<Record<string, string | number>>

const rows: Row[] = []

/** Keeps a row of the table that a file prints where CACHEBACK_MEASURE=1. */
export const noteRow = (row: Row): void => void rows.push(row)

/** For a whole file: no listeners pile up, every warning comes once at most; what was measured is printed. */
export function houseRules(): { readonly codes: readonly string[] } {
  const codes: string[] = []
  const names: string[] = []
  const note = (warning: Error & { code?: string }): void => {
    names.push(warning.name)
    if (warning.name === 'CachebackWarning') codes.push(warning.code ?? '')
  }
  process.on('warning', note)
  afterAll(() => {
    process.off('warning', note)
    expect(names).not.toContain('MaxListenersExceededWarning')
    expect(codes.toSorted()).toEqual([...new Set(codes)].toSorted())
    if (process.env['CACHEBACK_MEASURE'] === '1' && rows.length > 0) console.log(table())
  })
  return { codes }
}

const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`

function table(): string {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const body = rows.map((row) => line(names.map((name) => row[name] ?? '')))
  return [line(names), line(names.map(() => '---')), ...body].join('\n')
}

export const median = (values: readonly number[]): number => quantile(values, 0.5)

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
