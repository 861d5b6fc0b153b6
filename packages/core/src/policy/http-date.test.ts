import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseHttpDate } from './http-date.ts'

const NOW = Date.UTC(2031, 2, 5)
const EXAMPLE = Date.UTC(1994, 10, 6, 8, 49, 37)

test.each<[value: string, at: number]>([
  ['Sun, 06 Nov 1994 08:49:37 GMT', EXAMPLE],
  ['Sunday, 06-Nov-94 08:49:37 GMT', EXAMPLE],
  ['Sun Nov  6 08:49:37 1994', EXAMPLE],
  ['sun, 06 NOV 1994 08:49:37 gmt', EXAMPLE],
  ['SUNDAY, 06-nov-94 08:49:37 Gmt', EXAMPLE],
  ['sUN nOV  6 08:49:37 1994', EXAMPLE],
  ['Wed, 16 Nov 1994 00:00:00 GMT', Date.UTC(1994, 10, 16)],
  ['Wed Nov 16 00:00:00 1994', Date.UTC(1994, 10, 16)],
  ['Thu, 29 Feb 2024 00:00:00 GMT', Date.UTC(2024, 1, 29)],
  // Leap seconds; Date has none.
  ['Sat, 31 Dec 2016 23:59:60 GMT', Date.UTC(2017, 0, 1)],
  ['Sat Dec 31 23:59:60 2016', Date.UTC(2017, 0, 1)],
])('reads %j', (value, at) => {
  expect(parseHttpDate(value, NOW)).toBe(at)
})

test.each([
  '',
  '0',
  '-1',
  'junk',
  '1994-11-06T08:49:37Z',
  'Sun, 06 Nov 1994 08:49:37',
  'Sun, 06 Nov 1994 08:49:37 UTC',
  'Sun, 06 Nov 1994 08:49:37 +0000',
  'Sun, 06 Nov 1994 08:49:37 GMT+1',
  'Sun, 06 Nov 1994 18:49:37 AEST',
  ' Sun, 06 Nov 1994 08:49:37 GMT',
  'Sun, 06 Nov 1994 08:49:37 GMT ',
  'Sun, 06 Nov 1994 08:49:37  GMT',
  'Sun,06 Nov 1994 08:49:37 GMT',
  'Sun 06 Nov 1994 08:49:37 GMT',
  'Sun, 6 Nov 1994 08:49:37 GMT',
  'Sun, 06-Nov-1994 08:49:37 GMT',
  'Sun, 06 Nov 94 08:49:37 GMT',
  'Sun, 06 November 1994 08:49:37 GMT',
  'Sun, 06 Nov 1994 8:49:37 GMT',
  'Sun, 06 Nov 1994 08:49 GMT',
  'Sun, 06 Nov 1994 24:00:00 GMT',
  'Sun, 06 Nov 1994 08:60:00 GMT',
  'Sun, 06 Nov 1994 08:49:61 GMT',
  'Sun, 00 Nov 1994 08:49:37 GMT',
  'Sun, 31 Nov 1994 08:49:37 GMT',
  'Wed, 29 Feb 2023 08:49:37 GMT',
  'Xyz, 06 Nov 1994 08:49:37 GMT',
  'Sun, 06 Foo 1994 08:49:37 GMT',
  'Sun, 06-Nov-94 08:49:37 GMT',
  'Sunday, 06 Nov 1994 08:49:37 GMT',
  'Sun Nov  0 08:49:37 1994',
  'Sun Nov 6 08:49:37 1994',
  'Sun Nov 31 08:49:37 1994',
  // Two lines, joined.
  'Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT',
])('does not read %j', (value) => {
  expect(parseHttpDate(value, NOW)).toBeUndefined()
})

test.each([
  [2026, '26', 2026],
  [2026, '94', 1994],
  [2026, '75', 2075],
  [2026, '78', 1978],
  [2051, '00', 2000],
  [2051, '99', 2099],
])('in %d the year %s is %d', (thisYear, twoDigits, year) => {
  expect(parseHttpDate(`Friday, 01-Jan-${twoDigits} 00:00:00 GMT`, Date.UTC(thisYear, 6))).toBe(Date.UTC(year, 0))
})

const dates = (from: number, to: number): fc.Arbitrary<Date> =>
  fc.date({ min: new Date(Date.UTC(from, 0)), max: new Date(Date.UTC(to, 0)), noInvalidDate: true })

test('agrees with toUTCString', () => {
  const min = new Date('0000-01-01')
  fc.assert(
    fc.property(fc.date({ min, max: new Date('9999-12-31'), noInvalidDate: true }), (date) => {
      expect(parseHttpDate(date.toUTCString(), NOW)).toBe(Math.floor(date.getTime() / 1000) * 1000)
    }),
  )
})

test('reads the old formats as the new one', () => {
  const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
  fc.assert(
    fc.property(dates(1990, 2070), (date) => {
      const [day, dayOfMonth, month, year, time] = date.toUTCString().split(/,? /) as [
        string,
        string,
        string,
        string,
        string,
      ]
      const longDay = days.find((one) => one.startsWith(day))!
      const at = Math.floor(date.getTime() / 1000) * 1000
      expect(parseHttpDate(`${longDay}, ${dayOfMonth}-${month}-${year.slice(2)} ${time} GMT`, NOW)).toBe(at)
      expect(parseHttpDate(`${day} ${month} ${dayOfMonth.replace(/^0/, ' ')} ${time} ${year}`, NOW)).toBe(at)
    }),
  )
})

test('is a time or nothing, whatever it reads', () => {
  const pieces = fc.constantFrom('Sun', 'Sunday', ', ', ' ', '06', '99', 'Nov', '1994', '-94', ':', '08:49:37', 'GMT')
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(pieces).map((list) => list.join('')),
      ),
      (value) => {
        expect(parseHttpDate(value, NOW) ?? 0).not.toBeNaN()
      },
    ),
  )
})
