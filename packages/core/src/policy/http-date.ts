const DAYS = 'mon|tue|wed|thu|fri|sat|sun'
const LONG_DAYS = 'monday|tuesday|wednesday|thursday|friday|saturday|sunday'
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const MONTH = MONTHS.join('|')
const TIME = '(\\d{2}):(\\d{2}):(\\d{2})'

/** Sun, 06 Nov 1994 08:49:37 GMT */
const IMF_FIXDATE = new RegExp(`^(?:${DAYS}), (\\d{2}) (${MONTH}) (\\d{4}) ${TIME} gmt$`, 'i')
/** Sunday, 06-Nov-94 08:49:37 GMT */
const RFC_850 = new RegExp(`^(?:${LONG_DAYS}), (\\d{2})-(${MONTH})-(\\d{2}) ${TIME} gmt$`, 'i')
/** Sun Nov  6 08:49:37 1994 */
const ASCTIME = new RegExp(`^(?:${DAYS}) (${MONTH}) ([ \\d]\\d) ${TIME} (\\d{4})$`, 'i')

/**
 * Reads an HTTP-date in one of its three formats, in any case, and nothing else (RFC 9110 §5.6.7): `Date.parse` takes
 * far more than a cache may trust. Returns milliseconds since 1970, or undefined. `now` settles the century of the
 * two-digit years: more than 50 years ahead means the past.
 */
export function parseHttpDate(value: string, now: number): number | undefined {
  if (value.length > 40) return undefined
  const fixdate = IMF_FIXDATE.exec(value)
  if (fixdate !== null) return timestamp(fixdate[3]!, fixdate[2]!, fixdate[1]!, fixdate.slice(4))
  const rfc850 = RFC_850.exec(value)
  if (rfc850 !== null) return timestamp(fullYear(rfc850[3]!, now), rfc850[2]!, rfc850[1]!, rfc850.slice(4))
  const asctime = ASCTIME.exec(value)
  if (asctime !== null) return timestamp(asctime[6]!, asctime[1]!, asctime[2]!, asctime.slice(3, 6))
  return undefined
}

function timestamp(year: string, month: string, day: string, time: readonly string[]): number | undefined {
  const [hour, minute, second] = time.map(Number) as [number, number, number]
  const monthIndex = MONTHS.indexOf(month.toLowerCase())
  const date = new Date(0)
  date.setUTCFullYear(Number(year), monthIndex, Number(day))
  const dayExists = date.getUTCMonth() === monthIndex && Number(day) > 0
  // 60 is a leap second (RFC 9110 §5.6.7).
  if (!dayExists || hour > 23 || minute > 59 || second > 60) return undefined
  return date.setUTCHours(hour, minute, second)
}

function fullYear(twoDigits: string, now: number): string {
  const thisYear = new Date(now).getUTCFullYear()
  const year = Math.floor(thisYear / 100) * 100 + Number(twoDigits)
  return String(year > thisYear + 50 ? year - 100 : year)
}
