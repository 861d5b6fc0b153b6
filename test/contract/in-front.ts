/**
 * Scenarios that are about what layers of the app outside the cache do, and so cannot hold with the cache in front of the
 * app; FRONT-… say what holds instead.
 */
export const NOT_IN_FRONT: Readonly<Record<string, string>> = {
  'OWN-01': 'no layer of the app runs on a hit',
  'OWN-02': 'no layer of the app runs on a hit',
  'OWN-05': 'no layer of the app runs on a hit',
  'OWN-06': 'no layer of the app runs on a hit',
  'OWN-11': 'no layer of the app runs on a hit',
  'OWN-12': 'what the app sends is stored whole',
  'OWN-13': 'what the app sends is stored whole',
  'FASTIFY-03': 'no hook runs on a hit',
  'FAIL-11': 'every refresh reaches a cache in front',
  'REFRESH-01': 'the listener is attached',
  'REG-11': 'what a layer of the app has gathered is what is stored',
  'REG-34': 'a header by which a layer of the app rewrites URLs is not hidden in the key: the app must name it in Vary',
  'REG-41': 'nothing happens to a request before it comes to the cache',
  'REG-81': 'nothing has read the content before',
  'REG-84': 'nothing has read the content before',
  'REG-92': 'no layer of the app runs on a hit: REG-96 has the layer before the cache',
  'REG-93': 'no layer of the app runs on a hit: REG-96 has the layer before the cache',
  'REG-94': 'no layer of the app runs on a hit: REG-96 has the layer before the cache',
  'REG-103': 'no layer of the app runs on a hit: REG-105 has the layer before the cache',
  'REG-104': 'a layer of the app fails in the app, as without a cache: REG-105 has the layer before the cache',
}
