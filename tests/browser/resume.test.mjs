// Resuming an upload: after a reload of the page, in only one tab at a time, and after the session has expired.
import assert from 'node:assert/strict';

import { choose, file, hasSent, listen, parts, reaches, test, throttle, transfer, usesBrowser } from './browser.mjs';
import { digestOfFile, digestOfObject, inFolder, largeFile, MIB, smallFile } from './files.mjs';
import { CREDENTIAL, submitToken, TOKEN_REQUIRED, signIn } from './token.mjs';

usesBrowser();

const LARGE = 512 * MIB;

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
    const recorded = await recordedParts(page);
    assert.ok(recorded.length > 0);
    assert.deepEqual(recorded.filter((number) => !stored.includes(number)), []);
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
    assert.deepEqual(sent.sort((a, b) => a - b), all.filter((number) => !recorded.includes(number)));
    assert.equal(await digestOfObject(signpost, 'in/large.bin'), await digestOfFile(large));
    assert.equal(await page.evaluate(() => localStorage.length), 0);
  });
});

const uploadIdIn = (requests) => requests.find(({ query }) => query.has('partNumber')).query.get('uploadId');

/** The numbers of the parts that the page has recorded as its own. */
const recordedParts = (page) =>
  page.evaluate(() => Object.values(localStorage).flatMap((record) => Object.keys(JSON.parse(record).etags).map(Number)));

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
    await transfer(page, 'large.bin').getByText('different size or date').waitFor();
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

/** Replaces a part of an upload, as another caller that may write there can. Returns the ETag of the part. */
async function replacePart(signpost, key, uploadId, number, size) {
  const query = `?partNumber=${number}&uploadId=${encodeURIComponent(uploadId)}&contentLength=${size}`;
  const { url } = await signpost.instruction('PUT', key, query);
  const response = await fetch(url, { method: 'PUT', body: Buffer.alloc(size, 'E') });
  assert.equal(response.status, 200);
  return response.headers.get('etag');
}

/** Selects the requests to S3 that list, complete or abort an upload. Intercepting parts is slow. */
const isWholeUpload = ({ searchParams }) =>
  searchParams.has('X-Amz-Signature') && searchParams.has('uploadId') && !searchParams.has('partNumber');

/** Starts an upload of 70 MiB and reloads the page after at least three parts. Returns the id of the upload. */
async function interrupt(page, large) {
  const requests = listen(page);
  await throttle(page, 20 * MIB);
  await choose(page, 'upload-files', large);
  await page.waitForFunction(() => Object.values(localStorage).some((record) => Object.keys(JSON.parse(record).etags ?? {}).length >= 3));
  await page.reload();
  await throttle(page, 0);
  return uploadIdIn(requests);
}

test('a part that another caller replaced is sent again', {}, async ({ signpost, open }) => {
  await inFolder(async (folder) => {
    const large = await largeFile(folder, 'large.bin', 70 * MIB);
    const page = await open('');
    const uploadId = await interrupt(page, large);
    await replacePart(signpost, 'large.bin', uploadId, 1, 8 * MIB);
    await choose(page, 'upload-files', large);
    await reaches(page, 'large.bin', 'done');
    assert.equal(await digestOfObject(signpost, 'large.bin'), await digestOfFile(large));
  });
});

test('a part that another caller replaces after the page has sent it is sent again', {}, async ({ signpost, open }) => {
  await inFolder(async (folder) => {
    const large = await largeFile(folder, 'large.bin', 70 * MIB);
    const page = await open('');
    let attacks = 1;
    await page.route(isWholeUpload, async (route) => {
      const request = route.request();
      const { searchParams } = new URL(request.url());
      if (request.method() === 'POST' && searchParams.has('uploadId') && attacks-- > 0) {
        await replacePart(signpost, 'large.bin', searchParams.get('uploadId'), 1, 8 * MIB);
      }
      await route.continue();
    });
    await choose(page, 'upload-files', large);
    await reaches(page, 'large.bin', 'done');
    assert.equal(await digestOfObject(signpost, 'large.bin'), await digestOfFile(large));
  });
});

test('an upload that another caller completed with other content is not reported as uploaded', {}, async ({ signpost, open }) => {
  // S3 reports success if a request to complete an upload is repeated.
  await completeFirst(signpost, await open(''), (route, xml) => respond(route, 200, xml), 'failed');
});

test('an upload that another caller completed and that S3 no longer has is a conflict', {}, async ({ signpost, open }) => {
  const missing = '<Error><Code>NoSuchUpload</Code><Message>gone</Message></Error>';
  await completeFirst(signpost, await open(''), (route) => respond(route, 404, missing), 'conflict');
});

/** Another caller completes the upload of the page with a replaced part. Then the page receives a response, and reaches a state. */
async function completeFirst(signpost, page, reply, state) {
  await inFolder(async (folder) => {
    let completed = false;
    await page.route(isWholeUpload, async (route) => {
      const request = route.request();
      if (request.method() !== 'POST' || completed) return route.continue();
      completed = true;
      const uploadId = new URL(request.url()).searchParams.get('uploadId');
      await reply(route, await completeWithReplacedPart(signpost, 'large.bin', uploadId));
    });
    await choose(page, 'upload-files', await largeFile(folder, 'large.bin', 70 * MIB));
    await reaches(page, 'large.bin', state);
  });
}

const conflict = '<Error><Code>ConditionalRequestConflict</Code><Message>changed</Message></Error>';

for (const status of [409, 200]) {
  test(`after a conflict with status ${status}, a new upload starts`, {}, async ({ signpost, open }) => {
    await inFolder(async (folder) => {
      const large = await largeFile(folder, 'large.bin', 70 * MIB);
      const page = await open('');
      const completed = await answerCompletions(page, (route, number) => (number === 1 ? respond(route, status, conflict) : route.continue()));
      await choose(page, 'upload-files', large);
      await reaches(page, 'large.bin', 'done');
      assert.equal(completed.length, 2);
      assert.notEqual(completed[0], completed[1], 'the second attempt has another upload id');
      assert.equal(await digestOfObject(signpost, 'large.bin'), await digestOfFile(large));
    });
  });
}

test('after a second conflict, the upload fails', {}, async ({ open }) => {
  await inFolder(async (folder) => {
    const large = await largeFile(folder, 'large.bin', 70 * MIB);
    const page = await open('');
    const completed = await answerCompletions(page, (route) => respond(route, 409, conflict));
    await choose(page, 'upload-files', large);
    await reaches(page, 'large.bin', 'failed');
    assert.equal(completed.length, 2);
  });
});

/** Answers the requests that complete an upload. Returns a list to which the id of each completed upload is added. */
async function answerCompletions(page, answer) {
  const ids = [];
  await page.route(isWholeUpload, (route) => {
    if (route.request().method() !== 'POST') return route.continue();
    ids.push(new URL(route.request().url()).searchParams.get('uploadId'));
    return answer(route, ids.length);
  });
  return ids;
}

const respond = (route, status, body) =>
  route.fulfill({ status, headers: { 'access-control-allow-origin': '*', 'content-type': 'application/xml' }, body });

/** Completes the upload of another caller with a replaced first part. Returns the response of S3. */
async function completeWithReplacedPart(signpost, key, uploadId) {
  await replacePart(signpost, key, uploadId, 1, 8 * MIB);
  return complete(signpost, key, uploadId);
}

/** Completes an upload with all parts that S3 has stored. Returns the response of S3. */
async function complete(signpost, key, uploadId) {
  const id = `?uploadId=${encodeURIComponent(uploadId)}`;
  const xml = await (await fetch((await signpost.instruction('GET', key, id)).url)).text();
  const elements = xml.split('<Part>').slice(1).map((part) => {
    const [number, etag] = ['PartNumber', 'ETag'].map((name) => new RegExp(`<${name}>([^<]*)<`).exec(part)[1]);
    return `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`;
  });
  const { url, headers } = await signpost.instruction('POST', key, id);
  const body = `<CompleteMultipartUpload>${elements.join('')}</CompleteMultipartUpload>`;
  const response = await fetch(url, { method: 'POST', headers, body });
  assert.equal(response.status, 200);
  return response.text();
}

test('an upload is complete if only the response of S3 was lost', {}, async ({ signpost, open }) => {
  await inFolder(async (folder) => {
    const large = await largeFile(folder, 'large.bin', 70 * MIB);
    const page = await open('');
    let lost = 1;
    await page.route(isWholeUpload, async (route) => {
      const completes = route.request().method() === 'POST';
      if (!completes || lost-- <= 0) return route.continue();
      await complete(signpost, 'large.bin', new URL(route.request().url()).searchParams.get('uploadId'));
      await respond(route, 404, '<Error><Code>NoSuchUpload</Code><Message>gone</Message></Error>');
    });
    await choose(page, 'upload-files', large);
    await reaches(page, 'large.bin', 'done');
    assert.equal(await digestOfObject(signpost, 'large.bin'), await digestOfFile(large));
  });
});

test('a bucket that hides ETags gets the file in one request', {}, async ({ signpost, open }) => {
  await inFolder(async (folder) => {
    const large = await largeFile(folder, 'large.bin', 70 * MIB);
    const page = await open('');
    await page.addInitScript(() => {
      const original = XMLHttpRequest.prototype.getResponseHeader;
      XMLHttpRequest.prototype.getResponseHeader = function (name) {
        return name.toLowerCase() === 'etag' ? null : original.call(this, name);
      };
    });
    await page.reload();
    await choose(page, 'upload-files', large);
    await reaches(page, 'large.bin', 'done');
    assert.equal(await digestOfObject(signpost, 'large.bin'), await digestOfFile(large));
    assert.equal(await page.evaluate(() => localStorage.length), 0);
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
