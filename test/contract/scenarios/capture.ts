import { Readable } from 'node:stream'
import { bytes, chunks, empty, file, json, stream, text } from '../../support/reply.ts'
import { unchanged } from './unchanged.ts'

const maxAge = { 'cache-control': 'max-age=10' }
const everyByte = Buffer.from(Array.from({ length: 256 * 8 }, (_, i) => i % 256))

unchanged('CAP-01', 'JSON', () => json({ list: [1, 2, 3], text: 'ü€' }, maxAge))
unchanged('CAP-02', 'a string', () => text('Zwölf Boxkämpfer', maxAge))
unchanged('CAP-03', 'a Buffer with every byte', () =>
  bytes(everyByte, { ...maxAge, 'content-type': 'application/octet-stream' }),
)
unchanged('CAP-04', 'a stream', () =>
  stream(() => Readable.from([everyByte, everyByte, Buffer.from('end')]), { ...maxAge, 'content-type': 'image/png' }),
)
unchanged('CAP-05', 'a file', () => file('page.txt', maxAge))
unchanged('CAP-06', 'chunks, one after the other', () =>
  chunks(
    async function* () {
      yield 'one '
      yield Buffer.from('two ')
      yield 'three'
    },
    { ...maxAge, 'content-type': 'text/html; charset=utf-8' },
  ),
)
unchanged('CAP-07', 'an empty 200', () => empty(200, maxAge))
unchanged('CAP-08', 'a 204', () => empty(204, maxAge))
unchanged('CAP-09', 'a redirect with explicit freshness', () => empty(301, { ...maxAge, location: '/elsewhere' }))
unchanged('CAP-10', 'repeated fields keep their lines', () =>
  text('x', { ...maxAge, link: ['</a.css>; rel=preload', '</b.js>; rel=preload'] }),
)
unchanged('CAP-11', 'half a megabyte', () =>
  stream(() => Readable.from(Array.from({ length: 512 }, (_, i) => Buffer.alloc(1024, i % 251))), {
    ...maxAge,
    'content-type': 'application/octet-stream',
  }),
)
