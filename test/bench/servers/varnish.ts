import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { findProgram, freePort, startOrigin, startProgram, temporaryFolder } from '../apps/proxy.ts'
import type { ServerFile } from '../server-file.ts'

/** As it comes; grace for as long as the page allows. */
export default {
  title: 'Varnish',
  kind: 'proxy',
  async start(page) {
    const program = findProgram('varnishd')
    const [origin, port, folder] = [await startOrigin(page), await freePort(), temporaryFolder()]
    writeFileSync(
      join(folder, 'default.vcl'),
      `vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "${origin}"; }
sub vcl_backend_response { set beresp.grace = ${page.staleWhileRevalidate}s; }
`,
    )
    const listening = ['-F', '-a', `127.0.0.1:${port}`, '-n', join(folder, 'work'), '-f', join(folder, 'default.vcl')]
    return startProgram(program, [...listening, '-s', 'malloc,1G', '-j', 'none'], port)
  },
} satisfies ServerFile
