import type { Verdict } from './goals.ts'
import { type Figure, type Measure, type RunFile, type Spread, ratio, spread } from './run-file.ts'

const BASE = 'node-http'

/** Markdown, so that it can be pasted into docs/performance.md. */
export function printRun(run: RunFile): void {
  const { node, cpu, cores, memoryGiB, load, pinned } = run.machine
  const where = `${cores} cores of ${cpu}, ${memoryGiB} GiB, ${pinned ? 'pinned' : 'not pinned'}`
  print(
    `Node ${node}, ${where}; ${load}, 50 connections, ${run.rounds} rounds of ${run.seconds} s after ${run.warmUp} s; ${run.takenAt}`,
  )
  if (load !== 'wrk') print('**No wrk here: a smoke run. Its ratios mean little; install wrk for such that do.**')
  for (const scenario of new Set(run.figures.map((figure) => figure.scenario))) {
    print(`\n### ${scenario}\n`)
    const figures = run.figures.filter((figure) => figure.scenario === scenario)
    printTable(figures.some(({ measure }) => measure === 'requests/s') ? rates(run, figures) : measures(figures))
  }
  if (run.notes.length > 0) print(`\nNotes:\n${run.notes.map((note) => `- ${note}`).join('\n')}`)
}

/** Ratios to bare node:http, or to the first where that took no part; the fastest first. */
function rates(run: RunFile, figures: readonly Figure[]): string[][] {
  const rows = figures.filter(({ measure }) => measure === 'requests/s')
  const base = rows.find(({ server }) => server === BASE) ?? rows[0]!
  const head = [`ratio to ${base.title}`, 'median', 'min–max', 'by CPU time', 'CPU µs/request', 'requests/s']
  const body = rows
    .map((figure) => ({ figure, of: ratio(run, figure.scenario, [figure.server, base.server]) }))
    .toSorted((a, b) => (b.of?.median ?? 0) - (a.of?.median ?? 0))
    .map(({ figure, of }) => {
      const cpu = figures.find(({ server, measure }) => server === figure.server && measure === 'CPU µs/request')
      const byCpu = ratio(run, figure.scenario, [base.server, figure.server], 'CPU µs/request')
      return [figure.title, text(of?.median), range(of), text(byCpu?.median), cpu ? middle(cpu) : '–', middle(figure)]
    })
  return [head, ...body]
}

/** A column for each measure. */
function measures(figures: readonly Figure[]): string[][] {
  const names = [...new Set(figures.map(({ measure }) => measure))]
  const titles = new Map(figures.map(({ server, title }) => [server, title]))
  const cell = (server: string, measure: Measure): string => {
    const of = spread(figures.find((figure) => figure.server === server && figure.measure === measure)?.values ?? [])
    return of === undefined || of.min === of.max ? text(of?.median) : `${text(of.median)} (${range(of)})`
  }
  return [['', ...names], ...[...titles].map(([server, title]) => [title, ...names.map((name) => cell(server, name))])]
}

/** `isPart`: goals of scenarios that nobody asked for are left out. */
export function printGoals(verdicts: readonly Verdict[], isPart: boolean): void {
  const words = { true: 'met', false: '**not met**', undefined: 'not run' }
  const shown = verdicts.filter(({ value }) => !isPart || value !== undefined)
  if (shown.length === 0) return
  print('\n### Goals\n')
  const rows = shown.map(({ goal, limit, value, isMet }) => [goal, limit, text(value), words[`${isMet}`]])
  printTable([['', 'goal', 'here', ''], ...rows])
}

function printTable([head = [], ...rows]: string[][]): void {
  const widths = head.map((_, column) => Math.max(3, ...[head, ...rows].map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |`
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  for (const row of [head, rule, ...rows]) print(line(row))
}

const middle = ({ values }: Figure): string => text(spread(values)?.median)
const range = (of: Spread | undefined): string => (of === undefined ? '' : `${text(of.min)}–${text(of.max)}`)

function text(value: number | undefined): string {
  if (value === undefined) return '–'
  return value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 2 : value < 100 ? 1 : 0 })
}

function print(line: string): void {
  console.log(line)
}
