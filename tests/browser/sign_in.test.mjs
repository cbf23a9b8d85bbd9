// Signing in with OpenID Connect: a certified provider, a browser, and bearer tokens of the provider. The tests share one provider and
// one server, and run in the order of this file.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import * as playwright from 'playwright-core';

import { launchBrowser } from '../lib/browsers.mjs';
import { LocalServer } from '../lib/local_server.mjs';
import { AUDIENCE, Provider } from './provider.mjs';

const SESSION = '__Host-signpost';
// Signpost requests the keys of an issuer at most every 30 seconds.
const KEY_REFRESH_MILLISECONDS = 31_000;
const TEST = { timeout: 120_000 };
const KEY = randomBytes(32).toString('base64url');
const secrets = [KEY];

let provider, signpost, browser;

const policy = () => `
version = 1

[[issuer]]
name = "idp"
iss = "${provider.issuer}"
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
`;

before(async () => {
  provider = await Provider.start();
  const settings = { SIGNPOST_KEYS: `k1:${KEY}`, SIGNPOST_LOG: 'trace' };
  signpost = await LocalServer.start({ rules: policy(), settings, options: ['--front', 'rest'] });
  provider.serve(`${signpost.url}/-/callback`, 1);
  browser = await launchBrowser(playwright);
});

after(async () => {
  await browser?.close();
  await signpost?.stop();
  provider?.stop();
});

/** The headers of a request with this bearer token, which must not appear in the log. */
const bearer = (token) => {
  secrets.push(token);
  return { authorization: `Bearer ${token}` };
};

/** The response of Signpost to a request that follows no redirect. */
const request = (path, { method = 'GET', ...headers } = {}) => fetch(signpost.url + path, { method, headers, redirect: 'manual' });

const status = async (path, options) => (await request(path, options)).status;

/** Fills in the forms of the provider, from the login page until the redirect back. */
async function signInAtProvider(page, name) {
  await page.fill('input[name=login]', name);
  await page.fill('input[name=password]', 'any');
  await page.click('button[type=submit]');
  await page.waitForSelector('text=/consent|authorize/i');
  await page.click('button[type=submit]');
}

/** Signs in from a page that rejected the request, and returns the page that opens then. */
async function signIn(context, name, path) {
  const page = await context.newPage();
  const rejected = await page.goto(signpost.url + path);
  assert.equal(rejected.status(), 401);
  await page.click('[data-action=sign-in]');
  await signInAtProvider(page, name);
  await page.waitForURL(signpost.url + path);
  return page;
}

/** The session cookie, which must not appear in the log. */
async function sessionCookie(context) {
  const cookie = (await context.cookies()).find(({ name }) => name === SESSION);
  if (cookie?.value) secrets.push(cookie.value);
  return cookie;
}

test('without a JWT, Signpost sends no request to the provider', TEST, async () => {
  assert.equal(await status('/users/ci/a'), 401);
  assert.equal(await status('/users/ci/a', bearer('an-unknown-secret')), 401);
  assert.deepEqual(provider.requests, []);
});

for (const algorithm of ['rs256', 'es256']) {
  test(`a bearer token signed with ${algorithm} opens only its user's prefix`, TEST, async () => {
    const headers = bearer(await provider.token(algorithm));
    assert.equal(await status('/users/ci/a', headers), 307);
    assert.equal(await status('/users/bob/a', headers), 403);
    assert.equal(await status('/team-alice/a', headers), 403);
  });
}

test('the keys are requested once', TEST, () => {
  assert.equal(provider.requests.filter((path) => path === '/jwks').length, 1);
});

test('a token for another audience is rejected', TEST, async () => {
  assert.equal(await status('/users/ci/a', bearer(await provider.token('rs256/other'))), 401);
});

test('a token with a changed claim is rejected', TEST, async () => {
  const [header, claims, signature] = (await provider.token('rs256')).split('.');
  const changed = { ...JSON.parse(Buffer.from(claims, 'base64url')), sub: 'bob' };
  const altered = Buffer.from(JSON.stringify(changed)).toString('base64url');
  assert.equal(await status('/users/bob/a', bearer(`${header}.${altered}.${signature}`)), 401);
});

test('signing in from an error page returns to the requested page', TEST, async () => {
  const context = await browser.newContext();
  const page = await signIn(context, 'alice', '/users/alice/');
  assert.equal((await page.reload()).status(), 200);
  const cookie = await sessionCookie(context);
  const { httpOnly, secure, sameSite, path, domain } = cookie;
  assert.deepEqual({ httpOnly, secure, sameSite, path, domain },
    { httpOnly: true, secure: true, sameSite: 'Lax', path: '/', domain: '127.0.0.1' });
  assert.ok(cookie.expires - Date.now() / 1000 <= 3600);
  assert.ok(!(await page.evaluate(() => document.cookie)).includes('signpost'));
  assert.equal((await page.goto(`${signpost.url}/users/bob/`)).status(), 403);
  await context.close();
});

test('a page of this origin uses the session, and pages of other origins cannot', TEST, async () => {
  const context = await browser.newContext();
  const page = await signIn(context, 'alice', '/users/alice/');
  await sessionCookie(context);
  const store = () => page.evaluate(async () => {
    const response = await fetch('/users/alice/new.txt', { method: 'PUT', headers: { accept: 'application/vnd.signpost+json' } });
    return response.status;
  });
  await page.goto(`${signpost.url}/-/health`);
  assert.equal(await store(), 200);
  const evil = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<p>evil</p>'));
  await new Promise((listening) => evil.listen(0, '127.0.0.1', listening));
  for (const host of ['127.0.0.1', 'localhost']) {
    await page.goto(`http://${host}:${evil.address().port}/`);
    const read = await page.evaluate(async (url) => {
      try {
        return (await fetch(url, { credentials: 'include' })).status;
      } catch {
        return 'not read';
      }
    }, `${signpost.url}/users/alice/`);
    assert.equal(read, 'not read', host);
    const [response] = await Promise.all([
      page.waitForNavigation(),
      page.evaluate((url) => {
        const form = document.createElement('form');
        Object.assign(form, { method: 'post', action: url });
        document.body.append(form);
        form.submit();
      }, `${signpost.url}/-/logout`),
    ]);
    assert.equal(response.status(), 403, host);
  }
  evil.close();
  evil.closeAllConnections();
  assert.equal((await page.goto(`${signpost.url}/users/alice/`)).status(), 200);
  await context.close();
});

test('a group of the provider matches a rule for that issuer', TEST, async () => {
  const context = await browser.newContext();
  const page = await signIn(context, 'alice', '/users/alice/');
  const { value } = await sessionCookie(context);
  assert.equal(await status('/team-alice/a', { cookie: `${SESSION}=${value}` }), 307);
  await page.close();
  await context.close();
});

test('a request has one credential, and an altered session is rejected', TEST, async () => {
  const context = await browser.newContext();
  await signIn(context, 'alice', '/users/alice/');
  const cookie = `${SESSION}=${(await sessionCookie(context)).value}`;
  assert.equal(await status('/users/alice/a', { cookie }), 307);
  assert.equal(await status('/users/alice/a', { cookie, ...bearer(await provider.token('rs256')) }), 401);
  assert.equal(await status('/users/alice/a', { cookie: `${cookie}A` }), 401);
  assert.equal(await status('/users/alice/a', { cookie, method: 'DELETE' }), 403);
  await context.close();
});

test('signing out ends the session', TEST, async () => {
  const context = await browser.newContext();
  const page = await signIn(context, 'bob', '/users/bob/');
  await sessionCookie(context);
  await page.goto(`${signpost.url}/-/health`);
  const out = await page.evaluate(async () => (await fetch('/-/logout', { method: 'POST' })).status);
  assert.equal(out, 200);
  assert.equal(await sessionCookie(context), undefined);
  assert.equal((await page.goto(`${signpost.url}/users/bob/`)).status(), 401);
  await context.close();
});

test('a user who cancels at the provider is not signed in', TEST, async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${signpost.url}/-/login`);
  await page.click('text=/cancel/i');
  await page.waitForURL(`${signpost.url}/-/callback?**`);
  assert.match(await page.textContent('body'), /did not sign you in/);
  assert.equal(await sessionCookie(context), undefined);
  await context.close();
});

test('a code is accepted only from the browser that started the sign-in', TEST, async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${signpost.url}/-/login`);
  // Without its cookie the browser cannot use the code, so that it is still unused.
  await context.clearCookies({ name: `${SESSION}-login` });
  await signInAtProvider(page, 'alice');
  await page.waitForURL(`${signpost.url}/-/callback?**`);
  assert.match(await page.textContent('body'), /No sign-in is in progress/);
  const returned = new URL(page.url());
  const callback = returned.pathname + returned.search;
  secrets.push(returned.searchParams.get('code'));
  assert.equal(await status(callback), 401);
  const other = await request('/-/login');
  const cookie = other.headers.getSetCookie()[0].split(';')[0];
  assert.equal(await status(callback, { cookie }), 401);
  await context.close();
});

let expiring; // a browser context whose session expires during the tests below

test('a session expires with its ID token at the latest', TEST, async () => {
  expiring = await browser.newContext();
  provider.idTokenSeconds = 20;
  await signIn(expiring, 'alice', '/users/alice/');
  const cookie = await sessionCookie(expiring);
  assert.ok(cookie.expires - Date.now() / 1000 <= 20);
  expiring.cookie = `${SESSION}=${cookie.value}`;
  provider.idTokenSeconds = 3600;
});

test('new keys are accepted without a restart, and old keys are rejected', TEST, async () => {
  const old = bearer(await provider.token('es256'));
  assert.equal(await status('/users/ci/a', old), 307);
  provider.serve(`${signpost.url}/-/callback`, 2);
  await sleep(KEY_REFRESH_MILLISECONDS);
  assert.equal(await status('/users/ci/a', bearer(await provider.token('es256'))), 307);
  assert.equal(await status('/users/ci/a', bearer(await provider.token('rs256'))), 307);
  assert.equal(await status('/users/ci/a', old), 401);
});

test('an expired session is rejected, and signing in starts another', TEST, async () => {
  assert.equal(await status('/users/alice/a', { cookie: expiring.cookie }), 401);
  const page = await signIn(expiring, 'alice', '/users/alice/');
  assert.equal((await page.reload()).status(), 200);
});

test('the trace log contains no key, token, code or cookie', TEST, () => {
  assert.ok(secrets.length > 15 && signpost.log.includes('refused'));
  const logged = secrets.filter((secret) => signpost.log.includes(secret));
  assert.deepEqual(logged, []);
});
