import { describe, expect, test } from 'vitest'
import type { Selector } from '../types.ts'
import { type Place, type ReadSelector, readSelector, selects } from './selector.ts'

describe('readSelector', () => {
  test.each<[selector: Selector, read: ReadSelector]>([
    [{ all: true }, { kind: 'all' }],
    [{ tag: 'a b' }, { kind: 'tag', name: 'a b' }],
    [{ route: '/x/:id' }, { kind: 'route', name: '/x/:id' }],
    [{ url: '/x?a=1' }, { kind: 'url', host: undefined, path: '/x?a=1' }],
    [{ url: 'http://A.test:81/X?a=1' }, { kind: 'url', host: 'a.test:81', path: '/X?a=1' }],
    [{ url: 'HTTPS://a.test' }, { kind: 'url', host: 'a.test', path: '/' }],
    [{ url: 'http://a.test?a=1' }, { kind: 'url', host: 'a.test', path: '/?a=1' }],
    [{ prefix: '/' }, { kind: 'prefix', host: undefined, path: '/' }],
    [{ prefix: 'https://a.test/x' }, { kind: 'prefix', host: 'a.test', path: '/x' }],
    // A path may look like a host.
    [{ url: '//a.test/x' }, { kind: 'url', host: undefined, path: '//a.test/x' }],
  ])('%j', (selector, read) => {
    expect(readSelector(selector)).toEqual(read)
  })

  test.each<[selector: unknown]>(
    [
      undefined,
      null,
      '/x',
      [],
      ['/x'],
      {},
      { all: false },
      { all: 'true' },
      { url: '' },
      { url: 'x' },
      { url: 'a.test/x' },
      { url: 'ftp://a.test/x' },
      { url: 'http://' },
      { url: 1 },
      { prefix: '' },
      { prefix: '*' },
      { tag: '' },
      { tag: ['a'] },
      { route: /x/ },
      { host: 'a.test' },
      { url: '/x', tag: 'a' },
      { toString: 'x' },
    ].map((selector): [unknown] => [selector]),
  )('refuses %j', (selector) => {
    expect(() => readSelector(selector as Selector)).toThrow(
      expect.objectContaining({ name: 'CachebackError', code: 'CACHEBACK_INVALID_SELECTOR' }),
    )
  })
})

describe('selects', () => {
  const place: Place = {
    host: 'A.test',
    hosts: ['a.test', 'www.test'],
    path: '/x',
    query: '?a=1',
    queryRule: true,
    search: undefined,
    route: '/:x',
    tags: ['one', 'two'],
  }

  test.each<[selector: Selector, isSelected: boolean, patch?: Partial<Place>]>([
    [{ all: true }, true],
    [{ tag: 'one' }, true],
    [{ tag: 'on' }, false],
    [{ tag: 'One' }, false],
    [{ route: '/:x' }, true],
    [{ route: '/x' }, false],
    [{ route: 'undefined' }, false, { route: undefined }],

    [{ url: '/x?a=1' }, true],
    [{ url: '/x' }, false],
    [{ url: '/x?' }, false],
    [{ url: '/x?a=2' }, false],
    [{ url: '/X?a=1' }, false],
    [{ url: '/x' }, true, { query: '' }],
    [{ url: 'http://a.test/x?a=1' }, true],
    [{ url: 'https://A.TEST/x?a=1' }, true],
    [{ url: 'http://www.test/x?a=1' }, true],
    [{ url: 'http://b.test/x?a=1' }, false],
    [{ url: 'http://a.test:80/x?a=1' }, false],
    // A purge's raw query goes through the rule of the route.
    [{ url: '/x?utm=y&a=1' }, true, { queryRule: { ignore: ['utm'] } }],
    [{ url: '/x?utm=y&a=1' }, true, { queryRule: ['a'] }],
    [{ url: '/x?b=2&a=1' }, true, { queryRule: ['a', 'b'], query: '?a=1&b=2' }],
    [{ url: '/x?a=1' }, true, { queryRule: false, query: '' }],
    [{ url: '/x' }, false, { queryRule: ['a'] }],

    [{ prefix: '/' }, true],
    [{ prefix: '/x' }, true],
    [{ prefix: '/x?a' }, true],
    [{ prefix: '/x/' }, false],
    [{ prefix: '/y' }, false],
    [{ prefix: 'http://a.test/x' }, true],
    [{ prefix: 'http://a.test' }, true],
    [{ prefix: 'http://b.test/x' }, false],
  ])('%j: %s', (selector, isSelected, patch = {}) => {
    expect(selects(readSelector(selector), { ...place, ...patch })).toBe(isSelected)
    // The same after a stay in a store.
    const kept = JSON.parse(JSON.stringify(readSelector(selector))) as ReadSelector
    expect(selects(kept, { ...place, ...patch })).toBe(isSelected)
  })
})
