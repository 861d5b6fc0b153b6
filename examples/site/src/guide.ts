import type { Catalogue } from './catalogue.ts'
import type { Settings } from './settings.ts'

export interface GuideOptions extends Settings {
  readonly framework: string
  /** Where the demo listens, without a slash at the end. */
  readonly url: string
  readonly catalogue: Catalogue
}

/** What a demo prints once it listens: commands to try, and what to look for. */
export function guide({ framework, url, catalogue, maxAge, staleWhileRevalidate }: GuideOptions): string {
  const page = `${url}/packages/${longestReadme(catalogue)}`
  return `
cacheback on ${framework}: the READMEs of ${catalogue.size} installed packages at ${url}
A page is fresh for ${maxAge} s. For another ${staleWhileRevalidate} s it is served stale, at once, while a new one is rendered.

Try these in another terminal, in this order, and look at Age, Warning, Cache-Status, X-Rendered
(when the body was made and how long that took), and at the last line, the time you waited.

1. A miss. You wait for the render: "Cache-Status: cacheback; fwd=uri-miss; stored".
   ${curl(page)}

2. A hit, from the memory of the process: an Age, "hit; ttl=…", the X-Rendered of before, a millisecond or two.
   ${curl(page)}

3. Stale: "Warning: 110" and a negative ttl, and still a millisecond or two. Your request has started a render.
   sleep ${maxAge}; ${curl(page)}

4. What that render made: a new X-Rendered, a small Age, no Warning. Nobody has waited for it.
   sleep 1; ${curl(page)}

5. JSON is cached like any other response.
   ${curl(`${url}/api/packages/fastify`, { only: 'name|files|cache' })}

6. "Vary: Accept-Language": a miss for each language ("fwd=vary-miss" for the second), then both are kept.
   ${curl(`${url}/search?q=cache&page=2`, { header: 'Accept-Language: en' })}
   ${curl(`${url}/search?q=cache&page=2`, { header: 'Accept-Language: de' })}

7. Only q and page are part of the key, in any order: a hit on the English page.
   ${curl(`${url}/search?page=2&utm_source=mail&q=cache`, { header: 'Accept-Language: en' })}

8. A private page, never cached. A request with a cookie is not even looked up ("fwd=bypass; detail=cookie");
   without one the response is private, and not stored ("detail=private").
   ${curl(`${url}/me`, { header: 'Cookie: visitor=Ada', only: 'hello|cache' })}
   ${curl(`${url}/me`)}

9. Nobody can purge over HTTP; this process can. After the signal the page is a miss again.
   kill -USR2 ${process.pid}
   ${curl(page)}

Ctrl-C ends the demo. Below it tells what is rendered behind the visitors' backs.
`
}

/** The longest README takes the longest to render, and is installed by definition. */
function longestReadme(catalogue: Catalogue): string {
  const bySize = [...catalogue.values()].toSorted((a, b) => (b.readme?.bytes ?? 0) - (a.readme?.bytes ?? 0))
  return bySize[0]?.name ?? ''
}

interface CurlOptions {
  readonly header?: string
  /** Shows the lines of the head and the body that have one of these words, instead of the whole head. */
  readonly only?: string
}

function curl(url: string, { header, only }: CurlOptions = {}): string {
  const start = only === undefined ? `curl -s -o /dev/null -D - -w '%{time_total} s\\n'` : 'curl -s -i'
  const request = `${header === undefined ? '' : `-H '${header}' `}'${url}'`
  return `${start} ${request}${only === undefined ? '' : ` | grep -iE '${only}'`}`
}
