// How the browser caches reused URLs. The tests count requests in a proxy.
import assert from 'node:assert/strict';
import { createServer, request as forward } from 'node:http';
import { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { test, usesBrowser } from './browser.mjs';
import { rules } from './signpost.mjs';

const WINDOW = 20; // seconds
const CACHEABLE = `cache_control = "private, max-age=3600"`;
const REUSED = rules(`reuse_url_for = "${WINDOW}s"\nexpires = "5m"\n${CACHEABLE}`, 'disposition = "inline"');
const NOT_REUSED = rules(CACHEABLE, 'disposition = "inline"');

/** A forward proxy that records the URLs of requests. */
const proxied = [];
const proxy = createServer((from, to) => {
  proxied.push(new URL(from.url));
  const onward = forward(from.url, { method: from.method, headers: from.headers }, (response) => {
    to.writeHead(response.statusCode, response.rawHeaders);
    response.pipe(to);
  });
  onward.on('error', () => to.destroy());
  from.pipe(onward);
});

usesBrowser();
before(() => new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve)));
after(() => proxy.close());

/** By default, browsers use no proxy for loopback addresses. */
const throughProxy = {
  proxy: {
    get server() {
      return `http://127.0.0.1:${proxy.address().port}`;
    },
    bypass: '<-loopback>',
  },
};

const seconds = () => Date.now() / 1000;
const windowNow = () => Math.floor(seconds() / WINDOW);
const nextWindow = () => sleep((WINDOW - (seconds() % WINDOW)) * 1000 + 100);

/** Opens an object in a new tab. Returns its final URL and the numbers of requests; without requests, it comes from the cache. */
async function openObject(context, signpost, key) {
  proxied.length = 0;
  const page = await context.newPage();
  await page.goto(signpost.at(key));
  assert.equal(await page.locator('body').textContent(), 'seen');
  const url = page.url();
  await page.close();
  const of = (origin) => proxied.filter((request) => request.origin === origin && request.pathname.endsWith(key)).length;
  return { url, api: of(signpost.url), s3: of(signpost.s3), window: windowNow() };
}

/** How many seconds S3 will still accept a URL. */
function secondsLeft(url) {
  const query = new URL(url).searchParams;
  const [, year, month, day, hour, minute, second] = /^(....)(..)(..)T(..)(..)(..)Z$/.exec(query.get('X-Amz-Date'));
  return Date.UTC(year, month - 1, day, hour, minute, second) / 1000 + Number(query.get('X-Amz-Expires')) - seconds();
}

test('within a window the browser uses its cache, and after the window it gets a new URL', { policy: REUSED, ...throughProxy }, async ({ signpost, context }) => {
  let first, second;
  for (let attempt = 0; attempt < 3; attempt++) {
    // On a busy machine, two requests may not fit into one window. Then the test tries again.
    const key = `seen-${attempt}.txt`;
    await signpost.put(key, 'seen', 'text/plain');
    await nextWindow();
    first = await openObject(context, signpost, key);
    assert.deepEqual([first.api, first.s3], [1, 1]);
    second = await openObject(context, signpost, key);
    if (second.window === first.window) break;
  }
  assert.equal(second.window, first.window, 'two requests within one window');
  assert.deepEqual([second.api, second.s3], [0, 0], 'the redirect and the object come from the cache');
  assert.equal(second.url, first.url);
  assert.ok(secondsLeft(second.url) >= 60, `${secondsLeft(second.url)} s are left`);

  await nextWindow();
  const key = new URL(first.url).pathname.split('/').pop();
  const third = await openObject(context, signpost, key);
  assert.deepEqual([third.api, third.s3], [1, 1], 'neither the redirect nor the object comes from the cache');
  assert.notEqual(third.url, first.url);
  assert.ok(secondsLeft(third.url) >= 60, `${secondsLeft(third.url)} s are left`);
});

test('without reuse_url_for each request gets its own URL', { policy: NOT_REUSED, ...throughProxy }, async ({ signpost, context }) => {
  await signpost.put('seen.txt', 'seen', 'text/plain');
  for (let attempt = 0; attempt < 2; attempt++) {
    const { api, s3 } = await openObject(context, signpost, 'seen.txt');
    assert.deepEqual([api, s3], [1, 1]);
    await sleep(1100); // signatures have a resolution of one second
  }
});
