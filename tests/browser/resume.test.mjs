// Resuming an upload: after a reload of the page, in only one tab at a time, and after the session has expired.
import assert from 'node:assert/strict';

import { choose, file, hasSent, listen, parts, reaches, test, throttle, transfer, usesBrowser } from './browser.mjs';
import { digestOfFile, digestOfObject, inFolder, largeFile, MIB, smallFile } from './files.mjs';
import { CREDENTIAL, submitToken, TOKEN_REQUIRED, signIn } from './token.mjs';

usesBrowser();

const LARGE = 1024 * MIB;

test('a large upload resumes after a reload without sending stored parts again', { timeout: 600_000 }, async ({ signpost, open }) => {
  await inFolder(async (folder) => {
    const large = await largeFile(folder, 'large.bin', LARGE);
    const page = await open('in/');
    const before = listen(page);
    await throttle(page, 60 * MIB);
    await choose(page, 'upload-files', large);
    await hasSent(page, 'large.bin', 0.4);
    await page.reload();

    await reaches(page, 'large.bin', 'unfinished');
    assert.match(await transfer(page, 'large.bin').locator('[data-slot="state"]').textContent(), /Choose the same file again/);
    const stored = await storedParts(signpost, 'in/large.bin', uploadIdIn(before));
    assert.ok(stored.length > 0);
    const requests = listen(page);
    await throttle(page, 0);
    const [chooser] = await Promise.all([
      page.waitForEvent('filechooser'),
      page.getByRole('button', { name: 'Resume large.bin' }).click(),
    ]);
    await chooser.setFiles(large);
    await reaches(page, 'large.bin', 'done', 500_000);
    const sent = parts(requests, signpost.s3);
    const all = Array.from({ length: Math.ceil(LARGE / (8 * MIB)) }, (_, index) => index + 1);
    assert.deepEqual(sent.sort((a, b) => a - b), all.filter((number) => !stored.includes(number)));
    assert.equal(await digestOfObject(signpost, 'in/large.bin'), await digestOfFile(large));
    assert.equal(await page.evaluate(() => localStorage.length), 0);
  });
});

const uploadIdIn = (requests) => requests.find(({ query }) => query.has('partNumber')).query.get('uploadId');

/** The numbers of the parts that S3 has stored. */
async function storedParts(signpost, key, uploadId) {
  const { url } = await signpost.instruction('GET', key, `?uploadId=${encodeURIComponent(uploadId)}`);
  const xml = await (await fetch(url)).text();
  return [...xml.matchAll(/<PartNumber>(\d+)</g)].map(([, number]) => Number(number));
}

test('an unfinished upload rejects another file and can be cancelled', {}, async ({ signpost, open }) => {
  await inFolder(async (folder) => {
    const page = await open('');
    await throttle(page, 20 * MIB);
    const requests = listen(page);
    await choose(page, 'upload-files', await largeFile(folder, 'large.bin', 70 * MIB));
    await hasSent(page, 'large.bin', 0.4);
    await page.reload();
    await throttle(page, 0);
    const [chooser] = await Promise.all([
      page.waitForEvent('filechooser'),
      page.getByRole('button', { name: 'Resume large.bin' }).click(),
    ]);
    await chooser.setFiles(await smallFile(folder, 'other.bin', 'another'));
    await transfer(page, 'large.bin').getByText('another size or date').waitFor();
    await page.getByRole('button', { name: 'Cancel large.bin' }).click();
    await transfer(page, 'large.bin').waitFor({ state: 'detached' });
    const uploadId = uploadIdIn(requests);
    await waitUntilAborted(signpost, 'large.bin', uploadId);
  });
});

/** Waits until an upload no longer exists in S3. */
async function waitUntilAborted(signpost, key, uploadId) {
  const { url } = await signpost.instruction('GET', key, `?uploadId=${encodeURIComponent(uploadId)}`);
  for (let tries = 0; (await fetch(url)).status !== 404; tries++) {
    assert.ok(tries < 50, 'the upload still exists');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

test('an upload that no longer exists in S3 starts again', {}, async ({ signpost, open }) => {
  await inFolder(async (folder) => {
    const large = await largeFile(folder, 'large.bin', 70 * MIB);
    const page = await open('');
    await throttle(page, 20 * MIB);
    const requests = listen(page);
    await choose(page, 'upload-files', large);
    await hasSent(page, 'large.bin', 0.4);
    await page.reload();
    await throttle(page, 0);
    const uploadId = uploadIdIn(requests);
    const { url } = await signpost.instruction('DELETE', 'large.bin', `?uploadId=${encodeURIComponent(uploadId)}`);
    assert.equal((await fetch(url, { method: 'DELETE' })).status, 204);
    await choose(page, 'upload-files', large);
    await reaches(page, 'large.bin', 'done');
    assert.equal(await digestOfObject(signpost, 'large.bin'), await digestOfFile(large));
  });
});

test('only one tab uploads a file, and the other tab shows why it does not', {}, async ({ signpost, open }) => {
  await inFolder(async (folder) => {
    const large = await largeFile(folder, 'large.bin', 70 * MIB);
    const first = await open('');
    await throttle(first, 10 * MIB);
    await choose(first, 'upload-files', large);
    await hasSent(first, 'large.bin', 0.2);
    const second = await open('');
    assert.equal(await transfer(second, 'large.bin').count(), 0, 'the upload of the other tab is not shown as unfinished');
    await choose(second, 'upload-files', [large]);
    await reaches(second, 'large.bin', 'failed');
    assert.match(await transfer(second, 'large.bin').locator('[data-slot="state"]').textContent(), /Another tab/);
    await choose(second, 'upload-files', [file('small.txt', 'from the other tab')]);
    await reaches(second, 'small.txt', 'done');
    await throttle(first, 0);
    await reaches(first, 'large.bin', 'done');
    assert.equal(await digestOfObject(signpost, 'large.bin'), await digestOfFile(large));
  });
});

test('an upload continues after the session has expired and the user has signed in again', TOKEN_REQUIRED, async ({ signpost, open, context }) => {
  await inFolder(async (folder) => {
    const large = await largeFile(folder, 'large.bin', 200 * MIB); // more parts than one request signs
    signpost.credential = CREDENTIAL;
    const page = await open('');
    await signIn(page);
    await throttle(page, 40 * MIB);
    const requests = listen(page);
    const stored = new Set();
    page.on('requestfinished', (request) => {
      const { origin, searchParams } = new URL(request.url());
      if (origin === signpost.s3 && request.method() === 'PUT') stored.add(Number(searchParams.get('partNumber')));
    });
    await choose(page, 'upload-files', large);
    await hasSent(page, 'large.bin', 0.1);
    await context.clearCookies();
    await throttle(page, 0);
    await reaches(page, 'large.bin', 'signed-out');
    await choose(page, 'upload-files', [file('next.txt', 'waits as well')]);
    await reaches(page, 'next.txt', 'signed-out');
    await page.locator('.notice').getByText('Your session has ended').waitFor();
    const before = [...stored];
    assert.ok(before.length > 0);
    requests.length = 0;

    const [tab] = await Promise.all([
      context.waitForEvent('page'),
      page.locator('.notice').getByRole('link', { name: 'Sign in' }).click(),
    ]);
    await submitToken(tab);
    await tab.locator('main[data-prefix]').waitFor();
    await page.locator('.notice').getByRole('button', { name: 'Retry' }).click();
    await reaches(page, 'large.bin', 'done');
    await reaches(page, 'next.txt', 'done');
    assert.deepEqual(parts(requests, signpost.s3).filter((number) => before.includes(number)), []);
    assert.equal(await digestOfObject(signpost, 'large.bin'), await digestOfFile(large));
  });
});

test('a user signs in on the page and signs out', TOKEN_REQUIRED, async ({ open, signpost }) => {
  const page = await open('in/');
  assert.equal(page.response.status(), 401);
  await signIn(page);
  await page.waitForURL(`${signpost.url}/in/`);
  await page.locator('main[data-prefix="in/"]').waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Sign out' }).waitFor({ state: 'detached' });
  const again = await open('in/');
  assert.equal(again.response.status(), 401);
});
