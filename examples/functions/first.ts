import { createCacheback } from '@cacheback/core'

const cache = createCacheback()

async function tweetsOf(user: string, page = 1) {
  return [{ user, page, text: 'hello', at: new Date() }]
}

const tweets = cache.wrap(tweetsOf, {
  maxAge: 60, // seconds; then the old value is given, and a new one is made behind
  tags: (user) => [`user:${user}`],
})

console.log(await tweets('ada')) // a miss: waits for tweetsOf
console.log(await tweets('ada')) // a hit

console.log(tweets.keyOf('ada', 2)) // tweetsOf:ada,2
console.log(await tweets.peek('ada')) // what is stored, when made, fresh until
await tweets.set(['ada', 2], []) // as if tweetsOf had returned it
await tweets.refresh('ada') // called now, and stored
await tweets.invalidate('ada') // stale now, and made anew behind
await tweets.delete('ada') // gone
await cache.purge({ tag: 'user:ada' }) // or { route: 'tweetsOf' }, or { all: true }

await cache.close()
