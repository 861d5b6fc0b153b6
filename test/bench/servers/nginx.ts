import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { findProgram, freePort, startOrigin, startProgram, temporaryFolder } from '../apps/proxy.ts'
import type { ServerFile } from '../server-file.ts'

/** One worker; a lock on a miss, stale answers while one request refreshes. */
export default {
  title: 'nginx proxy_cache',
  kind: 'proxy',
  async start(page) {
    const program = findProgram('nginx')
    const [origin, port, folder] = [await startOrigin(page), await freePort(), temporaryFolder()]
    writeFileSync(join(folder, 'nginx.conf'), configuration(folder, origin, port))
    return startProgram(program, ['-p', folder, '-e', join(folder, 'error.log'), '-c', 'nginx.conf'], port)
  },
} satisfies ServerFile

// sendfile with tcp_nopush stalls 44 ms on 64 KiB.
const configuration = (folder: string, origin: number, port: number): string => `
${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
events { worker_connections 8192; }
http {
  access_log off;
  sendfile off;
  tcp_nopush off;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_body_temp_path ${folder}/body;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  proxy_temp_path ${folder}/proxy;
  proxy_cache_path ${folder}/cache keys_zone=pages:64m max_size=4g inactive=1d;
  upstream origin { server 127.0.0.1:${origin}; keepalive 64; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_cache pages;
      proxy_cache_lock on;
      proxy_cache_use_stale updating error timeout;
      proxy_cache_background_update on;
    }
  }
}
`
