// What the browser keeps of stable URLs: counted by a proxy through which it reaches the API and S3, and asked of Chromium.
import assert from 'node:assert/strict';
import { request as ask, createServer } from 'node:http';
import { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { test, usesBrowser } from './browser.mjs';
import { rules } from './signpost.mjs';

const WINDOW = 20; // seconds
const KEPT = `cache_control = "private, max-age=3600"`;
const STABLE = rules(`reuse_url_for = "${WINDOW}s"\nexpires = "5m"\n${KEPT}`, 'disposition = "inline"');
const UNSTABLE = rules(KEPT, 'disposition = "inline"');

/** A forward proxy that writes down what passes through it. */
const passed = [];
const proxy = createServer((from, to) => {
  passed.push(new URL(from.url));
  const onward = ask(from.url, { method: from.method, headers: from.headers }, (answer) => {
    to.writeHead(answer.statusCode, answer.rawHeaders);
    answer.pipe(to);
  });
  onward.on('error', () => to.destroy());
  from.pipe(onward);
});

usesBrowser();
before(() => new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve)));
after(() => proxy.close());

/** Chromium reaches loopback without its proxy unless told otherwise. */
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

/** Opens an object in a tab of its own: where it came from in the end, and which requests that took. */
async function see(context, signpost, key) {
  passed.length = 0;
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  await cdp.send('Network.enable');
  const told = [];
  cdp.on('Network.responseReceived', ({ type, response }) => type === 'Document' && told.push(response));
  await page.goto(signpost.at(key));
  assert.equal(await page.locator('body').textContent(), 'seen');
  await page.close();
  const [{ url, fromDiskCache }] = told;
  const of = (origin) => passed.filter((request) => request.origin === origin && request.pathname.endsWith(key)).length;
  return { url, fromDiskCache, api: of(signpost.url), s3: of(signpost.s3), window: windowNow() };
}

/** How long S3 will still take a URL. */
function left(url) {
  const query = new URL(url).searchParams;
  const [, year, month, day, hour, minute, second] = /^(....)(..)(..)T(..)(..)(..)Z$/.exec(query.get('X-Amz-Date'));
  return Date.UTC(year, month - 1, day, hour, minute, second) / 1000 + Number(query.get('X-Amz-Expires')) - seconds();
}

test('the second look at a stable URL comes from the browser, and after the window there is a new one', { policy: STABLE, ...throughProxy }, async ({ signpost, context }) => {
  let first, second;
  for (let attempt = 0; attempt < 3; attempt++) {
    // A busy machine may need more than a window for two looks; then two others within one count.
    const key = `seen-${attempt}.txt`;
    await signpost.put(key, 'seen', 'text/plain');
    await nextWindow();
    first = await see(context, signpost, key);
    assert.deepEqual([first.api, first.s3, first.fromDiskCache], [1, 1, false]);
    second = await see(context, signpost, key);
    if (second.window === first.window) break;
  }
  assert.equal(second.window, first.window, 'two looks within a window');
  assert.deepEqual([second.api, second.s3, second.fromDiskCache], [0, 0, true]);
  assert.equal(second.url, first.url);
  assert.ok(left(second.url) >= 60, `${left(second.url)} s are left`);

  await nextWindow();
  const key = new URL(first.url).pathname.split('/').pop();
  const third = await see(context, signpost, key);
  assert.deepEqual([third.api, third.s3], [1, 1], 'neither the redirect nor the object is taken from the cache');
  assert.notEqual(third.url, first.url);
  assert.ok(left(third.url) >= 60, `${left(third.url)} s are left`);
});

test('without a stable window each look has a URL of its own', { policy: UNSTABLE, ...throughProxy }, async ({ signpost, context }) => {
  await signpost.put('seen.txt', 'seen', 'text/plain');
  for (let look = 0; look < 2; look++) {
    const { api, s3, fromDiskCache } = await see(context, signpost, 'seen.txt');
    assert.deepEqual([api, s3, fromDiskCache], [1, 1, false]);
    await sleep(1100); // signatures differ from second to second
  }
});
