import type { Catalogue, InstalledPackage } from './catalogue.ts'

/** Where a link in a README leads: to a page of this site if the package is installed here, else where it says. */
export function linkResolver(shown: InstalledPackage, catalogue: Catalogue): (href: string) => string | undefined {
  const byRepository = new Map<string, string | undefined>()
  for (const { name, repository } of catalogue.values()) {
    // A repository with several packages names none of them.
    if (repository) byRepository.set(repository, byRepository.has(repository) ? undefined : name)
  }
  return (href) => {
    if (href.startsWith('#') || catalogue.has(href.replace(/^\/packages\//, ''))) return href
    const url = parse(href, shown.repository && `${shown.repository}/blob/HEAD/`)
    const name = url && (npmName(url) ?? byRepository.get(`${url.origin}${url.pathname.replace(/\/$/, '')}`))
    return name !== undefined && catalogue.has(name) ? `/packages/${name}` : url?.href
  }
}

function parse(href: string, base: string | undefined): URL | undefined {
  return URL.parse(href, base) ?? undefined
}

function npmName({ hostname, pathname }: URL): string | undefined {
  if (hostname !== 'www.npmjs.com' && hostname !== 'npmjs.com') return undefined
  return /^\/package\/((?:@[\w.-]+\/)?[\w.-]+)\/?$/.exec(pathname)?.[1]
}
