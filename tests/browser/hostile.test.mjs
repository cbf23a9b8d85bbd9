// Hostile object names are listed, downloaded, deleted and uploaded, and never become markup or code.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

import { isFirefox } from '../lib/browsers.mjs';
import { choose, file, reaches, test, transfer, usesBrowser } from './browser.mjs';
import { ADDRESSABLE, UNADDRESSABLE } from './names.mjs';

usesBrowser();

const PREFIX = 'hostile/';
const LONGEST = 'ü'.repeat((1024 - PREFIX.length) / 2);

// A REST API rejects long paths.
const FRONT = 'function-url';
const NAMES = [...ADDRESSABLE, LONGEST];

/** The name and the target of the link in each row. */
const rowsOf = (page) =>
  page.locator('#entries tr').evaluateAll((rows) =>
    rows.map((row) => {
      const link = row.querySelector('th a');
      if (!link) return { text: row.querySelector('th').textContent, buttons: row.querySelectorAll('button, a').length };
      const name = decodeURIComponent(link.getAttribute('href').replace(/^\.\//, ''));
      return { name, origin: link.origin, path: link.pathname, markup: row.querySelectorAll('img, svg, script').length };
    }),
  );

/** Firefox shortens a file name to 255 characters, and cannot create the file if these have more bytes. */
const MAX_FILE_NAME = 255;

const rowOf = (page, key) => page.locator('#entries tr').nth(key);

test('hostile names are listed, downloaded and deleted unchanged', { front: FRONT, timeout: 900_000 }, async ({ signpost, open }) => {
  for (const name of NAMES) await signpost.put(PREFIX + name, `content of ${name}`);
  const page = await open(`${PREFIX}?recursive`);
  const rows = await rowsOf(page);
  assert.deepEqual(rows.map(({ name }) => name).sort(), [...NAMES].sort());
  for (const { name, origin, path, markup } of rows) {
    assert.equal(origin, signpost.url, name);
    assert.equal(path, new URL(signpost.at(PREFIX + name)).pathname, name);
    assert.equal(markup, 0, name);
  }
  for (const [index, { name }] of rows.entries()) {
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      rowOf(page, index).getByRole('link', { name: 'Download' }).click(),
    ]);
    if (isFirefox && Buffer.byteLength(name) > MAX_FILE_NAME) continue;
    assert.equal(await readFile(await download.path(), 'utf8'), `content of ${name}`);
  }
  for (let left = rows.length; left > 0; ) {
    await rowOf(page, 0).locator('.more').click();
    await page.locator('#menu [data-action="delete"]').click();
    const key = await page.getByRole('dialog').locator('[data-slot="key"]').textContent();
    assert.doesNotMatch(key, /[\p{Cc}\p{Bidi_Control}]/u, 'the dialog shows no control characters');
    const listed = page.waitForResponse((response) => response.url().startsWith(`${signpost.url}/${PREFIX}?`));
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await listed;
    await page.waitForFunction((count) => document.querySelectorAll('#entries tr').length === count, --left);
  }
  await page.locator('.empty').waitFor();
  for (const name of NAMES) assert.equal(await signpost.exists(PREFIX + name), false, name);
});

test('folders with empty names can be opened', {}, async ({ signpost, open }) => {
  await signpost.put('a//b/javascript:x/c.txt', 'deep');
  const page = await open('a/');
  for (const path of ['a//', 'a//b/', 'a//b/javascript%3Ax/']) {
    await page.locator('#entries .folder a').click();
    await page.waitForURL(`${signpost.url}/${path}`);
  }
  assert.deepEqual((await rowsOf(page)).map(({ name }) => name), ['c.txt']);
});

test('names that no client can send are shown without links and buttons', {}, async ({ signpost, open }) => {
  // Signpost rejects these keys, so the test stores them directly in S3, with the policy of a form.
  const response = await fetch(`${signpost.url}/hostile/?form`, { headers: { accept: 'application/json' } });
  const { url, fields } = await response.json();
  const folder = fields.key.replace('${filename}', '');
  for (const name of UNADDRESSABLE) {
    const parts = Object.entries({ ...fields, key: folder + name });
    const stored = await fetch(url, { method: 'POST', body: multipart(parts), headers: { 'content-type': MULTIPART } });
    assert.ok(stored.ok, JSON.stringify(name));
  }
  const page = await open(`${folder}?recursive`);
  const rows = await rowsOf(page);
  assert.equal(rows.length, UNADDRESSABLE.length);
  for (const { name, text, buttons } of rows) {
    assert.equal(name, undefined, text);
    assert.equal(buttons, 0, text);
    assert.doesNotMatch(text, /[\p{Cc}\p{Bidi_Control}]/u, 'invisible characters are escaped');
  }
});

const MULTIPART = 'multipart/form-data; boundary=boundary';

/** The body of a form with unchanged values. `FormData` would change line ends. */
function multipart(parts) {
  const field = ([name, value]) => `--boundary\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const file = '--boundary\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--boundary--\r\n';
  return Buffer.from(parts.map(field).join('') + file);
}

test('files with hostile names are uploaded, or the page shows the rejection', { front: FRONT }, async ({ signpost, open }) => {
  const fileNames = NAMES.filter((name) => !/[/\\]/.test(name)); // other names are impossible in a file system
  const page = await open(PREFIX);
  await choose(page, 'upload-files', fileNames.map((name) => file(name, `content of ${name}`)));
  await page.waitForFunction(
    (count) => document.querySelectorAll('.transfer:is([data-state="done"], [data-state="failed"])').length === count,
    fileNames.length,
    { timeout: 60_000 },
  );
  const outcomes = await page.locator('.transfer').evaluateAll((items) => items.map(({ dataset, textContent }) => [dataset.state, textContent]));
  for (const [state, text] of outcomes) assert.equal(state, 'done', text);
  for (const name of fileNames) assert.equal(String(await signpost.get(PREFIX + name)), `content of ${name}`);
  await choose(page, 'upload-files', [file('new\nline.txt', 'x')]);
  await reaches(page, 'new\\u000aline.txt', 'failed');
  assert.match(await transfer(page, 'new\\u000aline.txt').textContent(), /control character/i);
});
