// Names that try to be more than names: listed, downloaded and deleted, and nothing of them becomes markup or a command.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

import { choose, file, reaches, test, transfer, usesBrowser } from './browser.mjs';
import { ADDRESSABLE, UNADDRESSABLE } from './names.mjs';

usesBrowser();

const PREFIX = 'hostile/';
const LONGEST = 'ü'.repeat((1024 - PREFIX.length) / 2);
const NAMES = [...ADDRESSABLE, LONGEST];

/** What the rows of a page are about: the key that each link tells, and whether the browser would stay on this server. */
const rowsOf = (page) =>
  page.locator('#entries tr').evaluateAll((rows) =>
    rows.map((row) => {
      const link = row.querySelector('th a');
      if (!link) return { text: row.querySelector('th').textContent, buttons: row.querySelectorAll('button, a').length };
      const name = decodeURIComponent(link.getAttribute('href').slice(2).replace(/\?view$/, ''));
      return { name, origin: link.origin, path: link.pathname, markup: row.querySelectorAll('img, svg, script').length };
    }),
  );

const rowOf = (page, key) => page.locator('#entries tr').nth(key);

test('hostile names are listed, downloaded and deleted as what they are', { timeout: 400_000 }, async ({ signpost, open }) => {
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
    assert.equal(await readFile(await download.path(), 'utf8'), `content of ${name}`);
  }
  for (let left = rows.length; left > 0; ) {
    await rowOf(page, 0).locator('.more').click();
    await page.locator('#menu [data-action="delete"]').click();
    const told = await page.getByRole('dialog').locator('[data-slot="key"]').textContent();
    assert.doesNotMatch(told, /[\p{Cc}\p{Bidi_Control}]/u, 'nothing turns or hides what the dialog says');
    const listed = page.waitForResponse((response) => response.url().startsWith(`${signpost.url}/${PREFIX}?`));
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await listed;
    await page.waitForFunction((count) => document.querySelectorAll('#entries tr').length === count, --left);
  }
  await page.locator('.empty').waitFor();
  for (const name of NAMES) assert.equal(await signpost.exists(PREFIX + name), false, name);
});

test('folders with empty names are walked through', {}, async ({ signpost, open }) => {
  await signpost.put('a//b/javascript:x/c.txt', 'deep');
  const page = await open('a/');
  for (const path of ['a//', 'a//b/', 'a//b/javascript%3Ax/']) {
    await page.locator('#entries .folder a').click();
    await page.waitForURL(`${signpost.url}/${path}`);
  }
  assert.deepEqual((await rowsOf(page)).map(({ name }) => name), ['c.txt']);
});

test('names that no client can send are shown, without anything to click', {}, async ({ signpost, open }) => {
  // Signpost refuses these keys, so they are stored as any other program would: by S3 alone, here with a form's policy.
  const response = await fetch(`${signpost.url}/hostile/?form`, { headers: { accept: 'application/json' } });
  const { url, fields } = await response.json();
  const folder = fields.key.replace('${filename}', '');
  for (const name of UNADDRESSABLE) {
    const parts = Object.entries({ ...fields, key: folder + name });
    const answer = await fetch(url, { method: 'POST', body: multipart(parts), headers: { 'content-type': MULTIPART } });
    assert.ok(answer.ok, JSON.stringify(name));
  }
  const page = await open(`${folder}?recursive`);
  const rows = await rowsOf(page);
  assert.equal(rows.length, UNADDRESSABLE.length);
  for (const { name, text, buttons } of rows) {
    assert.equal(name, undefined, text);
    assert.equal(buttons, 0, text);
    assert.doesNotMatch(text, /[\p{Cc}\p{Bidi_Control}]/u, 'what cannot be seen is shown');
  }
});

const MULTIPART = 'multipart/form-data; boundary=boundary';

/** A form's body with its values as they are: `FormData` would change line ends. */
function multipart(parts) {
  const field = ([name, value]) => `--boundary\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const file = '--boundary\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--boundary--\r\n';
  return Buffer.from(parts.map(field).join('') + file);
}

test('files with hostile names are uploaded under them, or the refusal is told', {}, async ({ signpost, open }) => {
  const taken = NAMES.filter((name) => !/[/\\]/.test(name)); // no file system has others
  const page = await open(PREFIX);
  await choose(page, 'upload-files', taken.map((name) => file(name, `content of ${name}`)));
  await page.waitForFunction(
    (count) => document.querySelectorAll('.transfer:is([data-state="done"], [data-state="failed"])').length === count,
    taken.length,
    { timeout: 60_000 },
  );
  const outcomes = await page.locator('.transfer').evaluateAll((items) => items.map(({ dataset, textContent }) => [dataset.state, textContent]));
  for (const [state, text] of outcomes) assert.equal(state, 'done', text);
  for (const name of taken) assert.equal(String(await signpost.get(PREFIX + name)), `content of ${name}`);
  await choose(page, 'upload-files', [file('new\nline.txt', 'x')]);
  await reaches(page, 'new\\u000aline.txt', 'failed');
  assert.match(await transfer(page, 'new\\u000aline.txt').textContent(), /control character/i);
});
