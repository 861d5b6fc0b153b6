// The parts of the suite's package that the harness uses; it ships no types.
declare module 'http-cache-tests/tests/index.mjs' {
  const sections: import('./types.ts').Section[]
  export default sections
}

declare module 'http-cache-tests/client/config.mjs' {
  export function setFetch(call: import('./types.ts').SuiteFetch): void
  export function setUseBrowserCache(use: boolean): void
  export function setBaseUrl(url: string): void
}

declare module 'http-cache-tests/client/test.mjs' {
  export const testResults: Record<string, import('./types.ts').Result>
  export function makeCacheTest(test: import('./types.ts').SuiteTest): Promise<void>
}

declare module 'http-cache-tests/server/utils.mjs' {
  export const configs: Map<string, import('./types.ts').SuiteRequest[]>
  export const stash: Map<string, unknown>
}

declare module 'http-cache-tests/server/handle-config.mjs' {
  const handle: import('./types.ts').Handle
  export default handle
}

declare module 'http-cache-tests/server/handle-state.mjs' {
  const handle: import('./types.ts').Handle
  export default handle
}

declare module 'http-cache-tests/server/handle-test.mjs' {
  const handle: import('./types.ts').Handle
  export default handle
}
