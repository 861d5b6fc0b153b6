import { type CallInfo, Job, createCacheback } from '@cacheback/core'

interface Tweet {
  readonly text: string
}

class UserTweets extends Job<[user: { id: number }, page?: number], readonly Tweet[], readonly Tweet[]> {
  async fetch(user: { id: number }, page = 1) {
    return [{ text: `${user.id}, page ${page}` }]
  }

  override key(user: { id: number }, page = 1) {
    return [user.id, page]
  }

  override freshFor(tweets: readonly Tweet[]) {
    return tweets.length === 0 ? 10 : 600
  }

  override empty() {
    return []
  }

  override shouldFetchOnMiss(user: { id: number }) {
    return user.id !== 0
  }

  override process(tweets: readonly Tweet[], { status }: CallInfo) {
    if (status === 'stale') console.log('stale, and made anew behind')
    return tweets
  }
}

const cache = createCacheback()
const userTweets = new UserTweets(cache, { fetchOnStaleAfter: 3600 })

console.log(await userTweets.get({ id: 1 })) // [{ text: '1, page 1' }]
console.log(await userTweets.get({ id: 0 })) // [], and made behind
console.log(userTweets.keyOf({ id: 1 })) // UserTweets:1,1

await cache.close()
