// node chart.ts run.json [file.svg]: the ratios of the hit scenarios as bars; docs/performance.svg by default.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { type RunFile, type Spread, ratio } from './run-file.ts'
import type { Kind } from './server-file.ts'

const WIDTH = 820
const LEFT = 290
const ROW = 24
const TOP = 48

const [from, to = fileURLToPath(new URL('../../docs/performance.svg', import.meta.url))] = process.argv.slice(2)
if (from === undefined) throw new Error('Say which run: node test/bench/chart.ts run.json')
const run = JSON.parse(readFileSync(from, 'utf8')) as RunFile

interface Bar {
  readonly title: string
  readonly kind: Kind
  readonly of: Spread
}

const panels = ['hit 1 KiB', 'hit 64 KiB'].map((scenario) => ({ scenario, bars: barsOf(scenario) }))
const height = panels.reduce((sum, { bars }) => sum + TOP + bars.length * ROW + 20, 0)
const widest = Math.max(1, ...panels.flatMap(({ bars }) => bars.map(({ of }) => of.max)))
const scale = (WIDTH - LEFT - 60) / widest
let y = 0
writeFileSync(to, svg(panels.map(({ scenario, bars }) => panel(scenario, bars)).join('')))

/** The fastest first. */
function barsOf(scenario: string): Bar[] {
  const figures = run.figures.filter((figure) => figure.scenario === scenario && figure.measure === 'requests/s')
  return figures
    .filter(({ server }) => !server.includes(':'))
    .flatMap(({ server, title, kind }) => {
      const of = ratio(run, scenario, [server, 'node-http'])
      return of === undefined ? [] : [{ title, kind, of }]
    })
    .toSorted((a, b) => b.of.median - a.of.median)
}

function panel(scenario: string, bars: readonly Bar[]): string {
  if (bars.length === 0) return ''
  const top = y + TOP
  const bottom = top + bars.length * ROW
  const title = `${scenario}: requests per second, bare node:http = 1.00`
  const drawn = bars.map((one, i) => bar(one, top + i * ROW)).join('')
  y = bottom + 20
  const one = (LEFT + scale).toFixed(1)
  return `<text x="16" y="${top - 18}" class="title">${title}</text>
<line x1="${one}" x2="${one}" y1="${top - 6}" y2="${bottom}" class="one"/>
${drawn}`
}

/** The median as a bar, the least and the most of the rounds as a line across its end. */
function bar({ title, kind, of: { median, min, max } }: Bar, at: number): string {
  const [middle, end] = [at + 9, LEFT + max * scale]
  return `<text x="${LEFT - 10}" y="${at + 13}" text-anchor="end">${escape(title)}</text>
<rect x="${LEFT}" y="${at}" width="${(median * scale).toFixed(1)}" height="18" rx="2" class="${kind}"/>
<line x1="${(LEFT + min * scale).toFixed(1)}" x2="${end.toFixed(1)}" y1="${middle}" y2="${middle}" class="range"/>
<text x="${(end + 6).toFixed(1)}" y="${at + 13}">${median.toFixed(2)}</text>
`
}

function svg(content: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" role="img">
<title>Hits of Node caches against bare node:http</title>
<style>
  text { font: 12.5px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 14px }
  .bare, .uncached { fill: #afb8c1 } .peer { fill: #d4a72c } .proxy { fill: #8250df } .front, .cacheback { fill: #0969da }
  .one { stroke: #59636e; stroke-dasharray: 3 3 } .range { stroke: #1f2328; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .bare, .uncached { fill: #57606a } .peer { fill: #9e6a03 } .front, .cacheback { fill: #1f6feb }
    .one { stroke: #9198a1 } .range { stroke: #e6edf3 }
  }
</style>
${content}</svg>
`
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
