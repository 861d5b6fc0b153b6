const assert = require('node:assert/strict')
const core = require('@cacheback/core')
const express = require('@cacheback/express')
const fastify = require('@cacheback/fastify')
const koa = require('@cacheback/koa')

assert.ok(core.CachebackError.prototype instanceof Error)
assert.equal(fastify.default, fastify.cachebackPlugin)

const cache = core.createCacheback()
assert.equal(express.cacheback(cache).cache, cache)
assert.equal(koa.cacheback(cache).cache, cache)
assert.equal(typeof fastify.cachebackPlugin, 'function')
void cache.close()
