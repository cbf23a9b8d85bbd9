// Uploads with script: choosing, dropping and pasting files, conflicts, errors, and the objects in S3.
import assert from 'node:assert/strict';
import { utimes } from 'node:fs/promises';

import { choose, file, hasSent, listen, parts, reaches, row, test, throttle, transfer, usesBrowser } from './browser.mjs';
import { digestOfFile, digestOfObject, inFolder, largeFile, MIB, smallFile } from './files.mjs';
import { rules } from './signpost.mjs';

usesBrowser();

const OVERWRITE = rules('', 'overwrite = true');
const WRITE_ONLY = rules().replace('can = ["read", "write", "delete", "list"]', 'can = ["write", "list"]');

test('a chosen file is stored and appears in the list', {}, async ({ signpost, open }) => {
  const page = await open('2026/');
  await choose(page, 'upload-files', [file('report.txt', 'hello'), file('empty.txt', '')]);
  await reaches(page, 'report.txt', 'done');
  await reaches(page, 'empty.txt', 'done');
  await row(page, 'report.txt').waitFor();
  assert.equal(String(await signpost.get('2026/report.txt')), 'hello');
  assert.equal((await signpost.get('2026/empty.txt')).length, 0);
  assert.equal((await signpost.head('2026/report.txt')).headers.get('content-type'), 'text/plain');
  assert.equal(await page.locator('#live').textContent(), '2 files uploaded');
  await page.getByRole('button', { name: 'Clear finished' }).click();
  assert.equal(await page.locator('.transfer').count(), 0);
});

const NO_FOLDERS = { notInFirefox: 'WebDriver BiDi cannot choose a folder' };

test('a chosen folder keeps its paths', NO_FOLDERS, async ({ signpost, open }) => {
  await inFolder(async (folder) => {
    await smallFile(folder, 'album/one.txt', '1');
    await smallFile(folder, 'album/deep/er/two.txt', '2');
    const page = await open('in/');
    await choose(page, 'upload-folder', `${folder}/album`);
    await reaches(page, 'album/deep/er/two.txt', 'done');
    await reaches(page, 'album/one.txt', 'done');
    assert.equal(String(await signpost.get('in/album/deep/er/two.txt')), '2');
    await row(page, 'album/').waitFor();
  });
});

const NO_DRAGGING = { notInFirefox: 'WebDriver BiDi cannot drag files into a page' };

test('files and folders dropped anywhere on the page are stored', NO_DRAGGING, async ({ signpost, open }) => {
  await inFolder(async (folder) => {
    await smallFile(folder, 'single.txt', 'single');
    for (let n = 0; n < 120; n++) await smallFile(folder, `many/${n}.txt`, `${n}`); // readEntries returns at most 100
    const page = await open('');
    await drop(page, [`${folder}/single.txt`, `${folder}/many`], async () => {
      await page.getByText('Drop files or folders to upload them').waitFor();
    });
    await reaches(page, 'single.txt', 'done');
    await page.locator('.transfer[data-state="done"]').nth(120).waitFor({ state: 'attached' });
    assert.equal(String(await signpost.get('many/119.txt')), '119');
    assert.equal(await page.locator('.drop').isVisible(), false);
  });
});

/** Drags files from outside the browser and drops them. */
async function drop(page, files, meanwhile) {
  const cdp = await page.context().newCDPSession(page);
  const drag = (type) =>
    cdp.send('Input.dispatchDragEvent', { type, x: 300, y: 300, data: { items: [], files, dragOperationsMask: 1 } });
  await drag('dragEnter');
  await drag('dragOver');
  await meanwhile();
  await drag('drop');
}

test('a pasted image is stored under a generated name; pasting into a field does not upload', {}, async ({ signpost, open }) => {
  const page = await open('');
  const paste = (selector, withFile) =>
    page.evaluate(
      ([selector, withFile]) => {
        const clipboardData = new DataTransfer();
        if (withFile) clipboardData.items.add(new File(['pixels'], 'image.png', { type: 'image/png' }));
        const event = new ClipboardEvent('paste', { bubbles: true, cancelable: true });
        Object.defineProperty(event, 'clipboardData', { value: clipboardData }); // Firefox would empty it
        return !document.querySelector(selector).dispatchEvent(event);
      },
      [selector, withFile],
    );
  assert.equal(await paste('body', true), true);
  const name = page.locator('.transfer[data-state="done"] [data-slot="name"]');
  await name.waitFor();
  assert.match(await name.textContent(), /^pasted \d{4}-\d\d-\d\d \d\d\.\d\d\.\d\d\.png$/);
  assert.equal(String(await signpost.get(await name.textContent())), 'pixels');
  assert.equal(await paste('input[name="q"]', true), false);
  assert.equal(await paste('body', false), false);
  assert.equal(await page.locator('.transfer').count(), 1);
});

test('a large file is sent to S3 in parallel parts', {}, async ({ signpost, open }) => {
  await inFolder(async (folder) => {
    const large = await largeFile(folder, 'large.bin', 70 * MIB + 1);
    const page = await open('');
    const requests = listen(page);
    let active = 0;
    let most = 0;
    page.on('request', (request) => isPart(request) && (most = Math.max(most, ++active)));
    page.on('requestfinished', (request) => isPart(request) && active--);
    await throttle(page, 40 * MIB);
    await choose(page, 'upload-files', large);
    await hasSent(page, 'large.bin', 0.3);
    assert.match(await transfer(page, 'large.bin').locator('[data-slot="state"]').textContent(), /MB of 73\.4 MB · .*MB\/s · \d+ s left/);
    assert.match(await page.locator('#transfers-total').textContent(), /0 of 1 · .*MB of 73\.4 MB/);
    await throttle(page, 0);
    await reaches(page, 'large.bin', 'done');
    assert.deepEqual(parts(requests, signpost.s3).sort((a, b) => a - b), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.ok(most >= 4 && most <= 6, `${most} parts at once`);
    assert.ok(requests.filter(({ path }) => path === '/-/sign').length <= 3, 'part URLs are requested in bulk');
    assert.equal(await digestOfObject(signpost, 'large.bin'), await digestOfFile(large));
  });
});

const isPart = (request) => request.method() === 'PUT' && request.url().includes('partNumber=');

test('a caller that may not read uploads a large file', { policy: WRITE_ONLY }, async ({ open }) => {
  await inFolder(async (folder) => {
    const large = await largeFile(folder, 'large.bin', 70 * MIB);
    const page = await open('drop/');
    await choose(page, 'upload-files', large);
    await reaches(page, 'large.bin', 'done');
    const second = await open('drop/');
    await choose(second, 'upload-files', large);
    await reaches(second, 'large.bin', 'conflict');
  });
});

test('an existing object is not overwritten: skip', {}, async ({ signpost, open }) => {
  await signpost.put('a.txt', 'old');
  const page = await open('');
  await choose(page, 'upload-files', [file('a.txt', 'new')]);
  const dialog = page.getByRole('dialog');
  assert.equal(await dialog.locator('[data-slot="key"]').textContent(), 'a.txt');
  assert.equal(await dialog.getByRole('button', { name: 'Replace' }).isVisible(), false, 'the rule forbids overwriting');
  await dialog.getByRole('button', { name: 'Skip' }).click();
  await reaches(page, 'a.txt', 'skipped');
  assert.equal(String(await signpost.get('a.txt')), 'old');
});

test('an existing object is overwritten if the rule allows it and the user confirms', { policy: OVERWRITE }, async ({ signpost, open }) => {
  await signpost.put('a.txt', 'old');
  const page = await open('');
  await choose(page, 'upload-files', [file('a.txt', 'new')]);
  await page.getByRole('dialog').getByRole('button', { name: 'Replace' }).click();
  await reaches(page, 'a.txt', 'done');
  assert.equal(String(await signpost.get('a.txt')), 'new');
});

test('both files are kept, the new one under the next free name', {}, async ({ signpost, open }) => {
  await signpost.put('a.tar.gz', 'old');
  await signpost.put('a.tar (2).gz', 'older');
  const page = await open('');
  await choose(page, 'upload-files', [file('a.tar.gz', 'new')]);
  await page.getByRole('dialog').getByRole('button', { name: 'Keep both' }).click();
  await page.getByRole('dialog').getByText('a.tar (2).gz').waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Keep both' }).click();
  await reaches(page, 'a.tar (3).gz', 'done');
  assert.equal(String(await signpost.get('a.tar (3).gz')), 'new');
});

test('one choice applies to all conflicts, and Escape skips one', { policy: OVERWRITE }, async ({ signpost, open }) => {
  for (const name of ['a.txt', 'b.txt', 'c.txt']) await signpost.put(name, 'old');
  const page = await open('');
  const chosen = ['a.txt', 'b.txt', 'c.txt'].map((name) => file(name, 'new'));
  await choose(page, 'upload-files', chosen);
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').getByLabel('Do this for all remaining files').check();
  await page.getByRole('dialog').getByRole('button', { name: 'Replace' }).click();
  await page.locator('.transfer[data-state="done"]').nth(1).waitFor();
  const texts = await Promise.all(['a.txt', 'b.txt', 'c.txt'].map(async (name) => String(await signpost.get(name))));
  assert.deepEqual(texts.sort(), ['new', 'new', 'old']);
});

test('a conflict of a large file is shown before its first byte is sent', {}, async ({ signpost, open }) => {
  await inFolder(async (folder) => {
    await signpost.put('large.bin', 'old');
    const page = await open('');
    const requests = listen(page);
    await choose(page, 'upload-files', await largeFile(folder, 'large.bin', 65 * MIB));
    await page.getByRole('dialog').getByRole('button', { name: 'Skip' }).click();
    await reaches(page, 'large.bin', 'skipped');
    assert.deepEqual(parts(requests, signpost.s3), []);
  });
});

test('an upload is paused and resumed without sending stored parts again, and the focus moves along', {}, async ({ signpost, open }) => {
  await inFolder(async (folder) => {
    const large = await largeFile(folder, 'large.bin', 80 * MIB);
    const page = await open('');
    await throttle(page, 20 * MIB);
    const requests = listen(page);
    const stored = new Set();
    page.on('requestfinished', (request) => isPart(request) && stored.add(partOf(request)));
    await choose(page, 'upload-files', large);
    await page.waitForFunction(() => document.querySelector('.transfer progress').value > 0.5);
    await page.getByRole('button', { name: 'Pause large.bin' }).focus();
    await page.keyboard.press('Enter');
    await reaches(page, 'large.bin', 'paused');
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'Resume large.bin');
    await page.waitForTimeout(500);
    const before = [...stored];
    assert.ok(before.length > 0);
    requests.length = 0;
    await throttle(page, 0);
    await page.keyboard.press('Enter');
    await reaches(page, 'large.bin', 'done');
    const again = parts(requests, signpost.s3).filter((number) => before.includes(number));
    assert.deepEqual(again, []);
    assert.equal(await digestOfObject(signpost, 'large.bin'), await digestOfFile(large));
  });
});

const partOf = (request) => Number(new URL(request.url()).searchParams.get('partNumber'));

test('a cancelled upload is aborted in S3', {}, async ({ signpost, open }) => {
  await inFolder(async (folder) => {
    const page = await open('');
    await throttle(page, 20 * MIB);
    const requests = listen(page);
    await choose(page, 'upload-files', await largeFile(folder, 'large.bin', 80 * MIB));
    await hasSent(page, 'large.bin', 0.3);
    const aborted = page.waitForResponse((response) => response.request().method() === 'DELETE' && response.url().startsWith(signpost.s3));
    await page.getByRole('button', { name: 'Cancel large.bin' }).click();
    assert.equal((await aborted).status(), 204);
    assert.equal(await page.locator('.transfer').count(), 0);
    assert.equal(await page.locator('#live').textContent(), 'large.bin cancelled');
    const uploadId = requests.find(({ query }) => query.has('partNumber')).query.get('uploadId');
    const { url } = await signpost.instruction('GET', 'large.bin', `?uploadId=${uploadId}`);
    assert.equal((await fetch(url)).status, 404, 'the parts still exist');
    assert.equal(await page.evaluate(() => localStorage.length), 0);
  });
});

test('a rejection by the rules is shown with its remedy, and can be retried', { policy: rules('max_bytes = "4B"') }, async ({ open }) => {
  const page = await open('');
  await choose(page, 'upload-files', [file('a.txt', 'too long')]);
  await reaches(page, 'a.txt', 'failed');
  const words = await transfer(page, 'a.txt').locator('[data-slot="state"]').textContent();
  assert.match(words, /above|allows|limit|most/i);
  assert.match(await page.locator('#live').textContent(), /^a\.txt failed: /);
  const retried = page.waitForRequest((request) => request.url().includes('/a.txt?'));
  await page.getByRole('button', { name: 'Retry a.txt' }).click();
  await retried;
  await reaches(page, 'a.txt', 'failed');
});

test('after a 403 from S3, the page requests a new URL once', {}, async ({ signpost, open }) => {
  const page = await open('');
  let rejections = 1;
  await page.route(`${signpost.s3}/**`, (route) => (route.request().method() === 'PUT' && rejections-- > 0 ? reject(route, 403, 'AccessDenied') : route.continue()));
  const requests = listen(page);
  await choose(page, 'upload-files', [file('a.txt', 'hello')]);
  await reaches(page, 'a.txt', 'done');
  assert.equal(requests.filter(({ origin, path }) => origin === signpost.url && path === '/a.txt').length, 2);
  rejections = 9;
  await choose(page, 'upload-files', [file('b.txt', 'hello')]);
  await reaches(page, 'b.txt', 'failed');
  assert.equal(rejections, 7, 'the page requests a new URL only once');
});

const reject = (route, status, code) =>
  route.fulfill({
    status,
    headers: { 'access-control-allow-origin': '*', 'content-type': 'application/xml' },
    body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}, &lt;b&gt;</Message></Error>`,
  });

test('503 from S3 is retried, and another error is shown with the message of S3', {}, async ({ signpost, open }) => {
  const page = await open('');
  let busy = 2;
  await page.route(`${signpost.s3}/**`, (route) => (route.request().method() === 'PUT' && busy-- > 0 ? reject(route, 503, 'SlowDown') : route.continue()));
  await choose(page, 'upload-files', [file('a.txt', 'hello')]);
  await reaches(page, 'a.txt', 'done');
  await page.unroute(`${signpost.s3}/**`);
  await page.route(`${signpost.s3}/**`, (route) => reject(route, 400, 'InvalidRequest'));
  await choose(page, 'upload-files', [file('b.txt', 'hello')]);
  await reaches(page, 'b.txt', 'failed');
  assert.equal(await transfer(page, 'b.txt').locator('[data-slot="state"]').textContent(), 'InvalidRequest, &lt;b&gt;');
});

test('without a network an upload waits, and then continues by itself', {}, async ({ signpost, open }) => {
  await inFolder(async (folder) => {
    const large = await largeFile(folder, 'large.bin', 80 * MIB);
    const page = await open('');
    await throttle(page, 20 * MIB);
    await choose(page, 'upload-files', large);
    await hasSent(page, 'large.bin', 0.3);
    await throttle(page, 0, true);
    await transfer(page, 'large.bin').getByText('Waiting for the network').waitFor();
    await page.waitForTimeout(2000);
    assert.equal(await page.evaluate(() => navigator.onLine), false);
    await throttle(page, 0);
    await reaches(page, 'large.bin', 'done');
    assert.equal(await digestOfObject(signpost, 'large.bin'), await digestOfFile(large));
  });
});

const NO_ERROR = { notInFirefox: 'Firefox reads a file that has changed without an error' };

test('a file that changed on disk is not sent, and the page shows the reason', NO_ERROR, async ({ signpost, open }) => {
  await inFolder(async (folder) => {
    const chosen = await smallFile(folder, 'a.txt', 'hello');
    await signpost.put('a.txt', 'existing');
    const page = await open('');
    await choose(page, 'upload-files', chosen);
    await page.getByRole('dialog').waitFor();
    await smallFile(folder, 'a.txt', 'changed since');
    const later = new Date(Date.now() + 10_000); // Chromium compares dates in seconds
    await utimes(chosen, later, later);
    await page.getByRole('dialog').getByRole('button', { name: 'Keep both' }).click();
    await reaches(page, 'a (2).txt', 'failed');
    assert.match(await transfer(page, 'a (2).txt').locator('[data-slot="state"]').textContent(), /changed or removed/);
  });
});

test('leaving the page during an upload requires a confirmation', {}, async ({ open }) => {
  await inFolder(async (folder) => {
    const page = await open('');
    await throttle(page, MIB);
    await choose(page, 'upload-files', await largeFile(folder, 'a.bin', 20 * MIB));
    await hasSent(page, 'a.bin', 0.01);
    const confirmation = page.waitForEvent('dialog');
    await page.reload({ waitUntil: 'commit' });
    assert.equal((await confirmation).type(), 'beforeunload');
  });
});
