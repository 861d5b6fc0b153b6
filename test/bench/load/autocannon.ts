import autocannon from 'autocannon'

import type { Contender } from '../contender.ts'
import type { Round } from './drive.ts'
import { HEADERS, type Requests, targetOf } from './requests.ts'

/** Where there is no wrk: shows that all of it works. The load costs more than the servers do, so ratios mean little. */
export async function smoke(
  contenders: readonly Contender[],
  seconds: number,
  requestsOf: (contender: Contender) => Requests,
): Promise<[string, Round][]> {
  const done: [string, Round][] = []
  for (const contender of contenders) {
    const cpuBefore = contender.cpuMicros()
    const requests = requestsOf(contender)
    let n = 0
    const result = await autocannon({
      url: contender.origin,
      connections: 50,
      duration: seconds,
      headers: HEADERS,
      requests: [{ setupRequest: (request) => ({ ...request, path: targetOf(requests, n++) }) }],
    })
    const total = result.requests.total
    done.push([
      contender.id,
      {
        perSecond: total / result.duration,
        cpuMicros: (contender.cpuMicros() - cpuBefore) / total,
        failed: result.non2xx + result.errors,
      },
    ])
  }
  return done
}
