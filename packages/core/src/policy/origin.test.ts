import { describe, expect, test } from 'vitest'
import { request } from '../../../../test/support/unit.ts'
import { hostsOf, originFields } from './origin.ts'

describe('originFields', () => {
  test.each<[headers: Record<string, string>, fields: string[]]>([
    [{}, []],
    [{ 'x-forwarded-for': '192.0.2.7', 'x-real-ip': '192.0.2.7' }, []],
    ...[
      'x-forwarded-host',
      'x-forwarded-proto',
      'x-forwarded-port',
      'x-forwarded-prefix',
      'x-forwarded-scheme',
      'x-forwarded-ssl',
      'x-original-host',
    ].map((name): [Record<string, string>, string[]] => [{ [name]: 'a, b' }, [name, 'a, b']]),
    [{ 'x-forwarded-host': '' }, ['x-forwarded-host', '']],
    [{ 'x-original-host': 'b', 'x-forwarded-host': 'a' }, ['x-forwarded-host', 'a', 'x-original-host', 'b']],
    [{ forwarded: 'for=192.0.2.7' }, []],
    [{ forwarded: 'for=192.0.2.7;by=x' }, []],
    [{ forwarded: 'for=192.0.2.7;host=a.test;proto=https' }, ['forwarded', 'host=a.test;proto=https']],
    [{ forwarded: 'For="[2001:db8::1]:80" ; HOST="a.test" ; Proto=https' }, ['forwarded', 'host="a.test";proto=https']],
    [{ forwarded: 'host=a.test;for=1.1.1.1, host=b.test;for=2.2.2.2' }, ['forwarded', 'host=a.test, host=b.test']],
    // What does not parse is keyed whole.
    [{ forwarded: 'for=1.1.1.1;host="a;b"' }, ['forwarded', 'for=1.1.1.1;host="a;b"']],
    [{ forwarded: 'junk' }, ['forwarded', 'junk']],
    [{ forwarded: 'host=a.test x' }, ['forwarded', 'host=a.test x']],
  ])('%j: %j', (headers, fields) => {
    expect(originFields(request(headers))).toEqual(fields)
  })

  // An app takes the first element's word, or the last one's: which element says it must show.
  test.each([
    ['for=1.1.1.1, for=2.2.2.2;host=a.test', 'for=2.2.2.2;host=a.test'],
    ['for=2.2.2.2;host=a.test, for=1.1.1.1', 'for=2.2.2.2;host=a.test'],
    ['host=a.test, proto=https', 'host=a.test;proto=https'],
  ])('%s is not %s', (one, other) => {
    expect(originFields(request({ forwarded: one }))).not.toEqual(originFields(request({ forwarded: other })))
  })
})

test.each<[host: string, origin: string[], hosts: string[]]>([
  ['', [], []],
  ['A.test:8080', [], ['a.test:8080']],
  ['a.test', ['x-forwarded-host', 'B.test, c.test', 'x-original-host', 'a.test'], ['a.test', 'b.test', 'c.test']],
  ['a.test', ['x-forwarded-proto', 'b.test', 'x-forwarded-host', ''], ['a.test']],
  ['a.test', ['forwarded', 'host=b.test;proto=https, host="C.test:81"'], ['a.test', 'b.test', 'c.test:81']],
])('the hosts of %j with %j: %j', (host, origin, hosts) => {
  expect(hostsOf(host, origin)).toEqual(hosts)
})
