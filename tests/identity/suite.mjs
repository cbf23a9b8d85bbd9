// What the suite shows: bearers and people of a certified provider are who they are, and nobody else gets in.

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { openBrowser, signInAtProvider } from './browser.mjs'
import { AUDIENCE, Idp } from './provider.mjs'
import { Signpost } from './signpost.mjs'

const SESSION = '__Host-signpost'
// Signpost asks an issuer for a new key no sooner after the last time.
const ASKED_AGAIN_AFTER = 31_000
const PATIENCE = 120_000

const idp = await Idp.start()
const signpost = await Signpost.start(`
version = 1

[[issuer]]
name = "idp"
iss = "${idp.issuer}"
aud = ["${AUDIENCE}"]
alg = ["RS256", "ES256"]
client_id = "signpost"
scopes = ["openid", "groups"]
groups = "groups"

[[rule]]
id = "own"
who = ["issuer:idp"]
can = ["read", "write", "delete", "list"]
on = ["users/{sub}/**"]

[[rule]]
id = "team"
who = ["group:idp/team-alice"]
can = ["read"]
on = ["team-alice/**"]
`, 'rest')
idp.serve(`${signpost.url}/-/callback`, 1)
const browser = await openBrowser()

let passed = 0
const failures = []
const secrets = [signpost.key.split(':')[1]]

async function test(name, property) {
  try {
    const late = pause(PATIENCE).then(() => { throw new Error('took too long') })
    await Promise.race([property(), late])
    passed += 1
    console.log(`ok      ${name}`)
  } catch (error) {
    failures.push(name)
    console.log(`FAILED  ${name}\n${error.stack}`)
  }
}

const bearer = (token) => {
  secrets.push(token)
  return { authorization: `Bearer ${token}` }
}

async function status(path, options) {
  return (await signpost.ask(path, options)).status
}

// Signs in from a page that refuses, and returns the page that opens then.
async function signIn(context, name, path) {
  const page = await context.newPage()
  const refused = await page.goto(signpost.url + path)
  assert.equal(refused.status(), 401)
  await page.click('text=Sign in')
  await signInAtProvider(page, name)
  await page.waitForURL(signpost.url + path)
  return page
}

async function session(context) {
  const cookie = (await context.cookies()).find(({ name }) => name === SESSION)
  if (cookie?.value) secrets.push(cookie.value)
  return cookie
}

await test('before anybody asks with a token, the provider is not asked', async () => {
  assert.equal(await status('/users/ci/a'), 401)
  assert.equal(await status('/users/ci/a', bearer('secret')), 401)
  assert.deepEqual(idp.requests, [])
})

for (const algorithm of ['rs256', 'es256']) {
  await test(`a bearer's token by ${algorithm} opens what is the bearer's`, async () => {
    const headers = bearer(await idp.token(algorithm))
    assert.equal(await status('/users/ci/a', headers), 307)
    assert.equal(await status('/users/bob/a', headers), 403)
    assert.equal(await status('/team-alice/a', headers), 403)
  })
}

await test('the keys were asked for once', () => {
  assert.equal(idp.requests.filter((path) => path === '/jwks').length, 1)
})

await test('a token for another audience is refused', async () => {
  assert.equal(await status('/users/ci/a', bearer(await idp.token('rs256/other'))), 401)
})

await test('a token with another claim is refused', async () => {
  const [header, claims, signature] = (await idp.token('rs256')).split('.')
  const told = { ...JSON.parse(Buffer.from(claims, 'base64url')), sub: 'bob' }
  const altered = Buffer.from(JSON.stringify(told)).toString('base64url')
  assert.equal(await status('/users/bob/a', bearer(`${header}.${altered}.${signature}`)), 401)
})

await test('a page that refuses leads through the provider to what was asked for', async () => {
  const context = await browser.newContext()
  const page = await signIn(context, 'alice', '/users/alice/')
  assert.equal((await page.reload()).status(), 200)
  const cookie = await session(context)
  const { httpOnly, secure, sameSite, path, domain } = cookie
  assert.deepEqual({ httpOnly, secure, sameSite, path, domain },
    { httpOnly: true, secure: true, sameSite: 'Lax', path: '/', domain: '127.0.0.1' })
  assert.ok(cookie.expires - Date.now() / 1000 <= 3600)
  assert.ok(!(await page.evaluate(() => document.cookie)).includes('signpost'))
  assert.equal((await page.goto(`${signpost.url}/users/bob/`)).status(), 403)
  await context.close()
})

await test('a page of our own stores under the session, and no other page does anything', async () => {
  const context = await browser.newContext()
  const page = await signIn(context, 'alice', '/users/alice/')
  await session(context)
  const stored = () => page.evaluate(async () => {
    const asked = await fetch('/users/alice/new.txt', { method: 'PUT', headers: { accept: 'application/json' } })
    return asked.status
  })
  await page.goto(`${signpost.url}/-/health`)
  assert.equal(await stored(), 200)
  const evil = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<p>evil</p>'))
  await new Promise((listening) => evil.listen(0, '127.0.0.1', listening))
  for (const host of ['127.0.0.1', 'localhost']) {
    await page.goto(`http://${host}:${evil.address().port}/`)
    const read = await page.evaluate(async (url) => {
      try {
        return (await fetch(url, { credentials: 'include' })).status
      } catch {
        return 'not read'
      }
    }, `${signpost.url}/users/alice/`)
    assert.equal(read, 'not read', host)
    const [answer] = await Promise.all([
      page.waitForNavigation(),
      page.evaluate((url) => {
        const form = document.createElement('form')
        Object.assign(form, { method: 'post', action: url })
        document.body.append(form)
        form.submit()
      }, `${signpost.url}/-/logout`),
    ])
    assert.equal(answer.status(), 403, host)
  }
  evil.close()
  evil.closeAllConnections()
  assert.equal((await page.goto(`${signpost.url}/users/alice/`)).status(), 200)
  await context.close()
})

await test('groups of the provider count with their issuer', async () => {
  const context = await browser.newContext()
  const page = await signIn(context, 'alice', '/users/alice/')
  const { value } = await session(context)
  assert.equal(await status('/team-alice/a', { cookie: `${SESSION}=${value}` }), 307)
  await page.close()
  await context.close()
})

await test('a session is the only credential, and no altered one is any', async () => {
  const context = await browser.newContext()
  await signIn(context, 'alice', '/users/alice/')
  const cookie = `${SESSION}=${(await session(context)).value}`
  assert.equal(await status('/users/alice/a', { cookie }), 307)
  assert.equal(await status('/users/alice/a', { cookie, ...bearer(await idp.token('rs256')) }), 401)
  assert.equal(await status('/users/alice/a', { cookie: `${cookie}A` }), 401)
  assert.equal(await status('/users/alice/a', { cookie, method: 'DELETE' }), 403)
  await context.close()
})

await test('who has signed out is signed out', async () => {
  const context = await browser.newContext()
  const page = await signIn(context, 'bob', '/users/bob/')
  await session(context)
  await page.goto(`${signpost.url}/-/health`)
  const out = await page.evaluate(async () => (await fetch('/-/logout', { method: 'POST' })).status)
  assert.equal(out, 200)
  assert.equal(await session(context), undefined)
  assert.equal((await page.goto(`${signpost.url}/users/bob/`)).status(), 401)
  await context.close()
})

await test('who refuses at the provider is not signed in', async () => {
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(`${signpost.url}/-/login`)
  await page.click('text=/cancel/i')
  await page.waitForURL(`${signpost.url}/-/callback?**`)
  assert.match(await page.textContent('body'), /did not sign you in/)
  assert.equal(await session(context), undefined)
  await context.close()
})

await test('a code that one browser was given is worth nothing in another', async () => {
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(`${signpost.url}/-/login`)
  // The browser forgets that it has begun, so that nobody uses the code up.
  await context.clearCookies({ name: `${SESSION}-login` })
  await signInAtProvider(page, 'alice')
  await page.waitForURL(`${signpost.url}/-/callback?**`)
  assert.match(await page.textContent('body'), /has not begun to sign in/)
  const brought = new URL(page.url())
  const callback = brought.pathname + brought.search
  secrets.push(brought.searchParams.get('code'))
  assert.equal(await status(callback), 401)
  const other = await signpost.ask('/-/login')
  const cookie = other.headers.getSetCookie()[0].split(';')[0]
  assert.equal(await status(callback, { cookie }), 401)
  await context.close()
})

const expiring = await browser.newContext()
await test('a session lives no longer than its ID token', async () => {
  idp.idTokenLife = 20
  await signIn(expiring, 'alice', '/users/alice/')
  const cookie = await session(expiring)
  assert.ok(cookie.expires - Date.now() / 1000 <= 20)
  expiring.cookie = `${SESSION}=${cookie.value}`
  idp.idTokenLife = 3600
})

await test('new keys count without a restart, and old ones no longer', async () => {
  const old = bearer(await idp.token('es256'))
  assert.equal(await status('/users/ci/a', old), 307)
  idp.serve(`${signpost.url}/-/callback`, 2)
  await pause(ASKED_AGAIN_AFTER)
  assert.equal(await status('/users/ci/a', bearer(await idp.token('es256'))), 307)
  assert.equal(await status('/users/ci/a', bearer(await idp.token('rs256'))), 307)
  assert.equal(await status('/users/ci/a', old), 401)
})

await test('an ended session is refused, and signing in begins another', async () => {
  assert.equal(await status('/users/alice/a', { cookie: expiring.cookie }), 401)
  const page = await signIn(expiring, 'alice', '/users/alice/')
  assert.equal((await page.reload()).status(), 200)
})

await test('no key, token, code or cookie stands in the log at its loudest', () => {
  assert.ok(secrets.length > 15 && signpost.log.includes('refused'))
  const told = secrets.filter((secret) => signpost.log.includes(secret))
  assert.deepEqual(told, [])
})

await browser.close()
await signpost.stop()
idp.stop()
console.log(`${passed} passed, ${failures.length} failed, 0 skipped`)
process.exit(failures.length ? 1 : 0)
