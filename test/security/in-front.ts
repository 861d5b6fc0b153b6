/** As in test/contract/in-front.ts: GUARD-03 says what holds instead. */
export const NOT_IN_FRONT: Readonly<Record<string, string>> = {
  'LEAK-12':
    'what the app sends is stored whole: a layer that writes into a page makes another page of it, and must name in Vary what it goes by',
  'LEAK-13': 'what the app sends is stored whole: a layer that speaks to one visitor must name in Vary what it goes by',
}
