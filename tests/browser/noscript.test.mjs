// The pages without script: listing, sorting, paging, downloading, form uploads, and deleting with a confirmation page.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

import { isFirefox } from '../lib/browsers.mjs';
import { file, row, test, usesBrowser } from './browser.mjs';
import { rules } from './signpost.mjs';

const NO_SCRIPT = { javaScriptEnabled: false };
usesBrowser(NO_SCRIPT);

const names = (page) => page.locator('#entries th').allTextContents();

test('folders and objects are listed, sorted, opened and filtered', NO_SCRIPT, async ({ signpost, open }) => {
  await signpost.put('in/b.txt', 'middle');
  await signpost.put('in/a.txt', 'the longest of all');
  await signpost.put('in/c.txt', 'short');
  await signpost.put('in/deep/d.txt', 'd');
  const page = await open('in/');
  assert.deepEqual(await names(page), ['deep/', 'a.txt', 'b.txt', 'c.txt']);
  await page.getByRole('columnheader').getByRole('link', { name: 'Size' }).click();
  assert.deepEqual((await names(page)).filter((name) => name !== 'deep/'), ['c.txt', 'b.txt', 'a.txt']);
  await page.getByRole('columnheader').getByRole('link', { name: 'Size' }).click();
  assert.deepEqual((await names(page)).filter((name) => name !== 'deep/'), ['a.txt', 'b.txt', 'c.txt']);
  await page.getByRole('link', { name: 'deep/' }).click();
  assert.deepEqual(await names(page), ['d.txt']);
  await page.getByRole('navigation', { name: 'Breadcrumbs' }).getByRole('link', { name: 'in' }).click();
  await page.getByLabel('Filter').fill('b.t');
  await page.getByRole('button', { name: 'Apply' }).click();
  assert.deepEqual((await names(page)).filter((name) => name !== 'deep/'), ['b.txt']);
});

test('a long list has several pages', NO_SCRIPT, async ({ signpost, open }) => {
  await signpost.fill('in/', 1001);
  const page = await open('in/');
  assert.equal((await names(page)).length, 1000);
  await page.getByRole('link', { name: 'Next page' }).click();
  assert.deepEqual(await names(page), ['file-1000.txt']);
  assert.equal(await page.getByRole('link', { name: 'Next page' }).count(), 0);
});

test('an object is downloaded under its own name', NO_SCRIPT, async ({ signpost, open }) => {
  await signpost.put('in/ä 100% b.txt', 'content');
  const page = await open('in/');
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    row(page, 'ä 100% b.txt').getByRole('link', { name: 'Download' }).click(),
  ]);
  assert.equal(download.suggestedFilename(), isFirefox ? 'ä 100_ b.txt' : 'ä 100% b.txt'); // Firefox replaces percent signs
  assert.equal(await readFile(await download.path(), 'utf8'), 'content');
});

test('a form uploads a file', NO_SCRIPT, async ({ signpost, open }) => {
  const page = await open('in/');
  await page.getByRole('link', { name: 'Upload a file' }).click();
  await page.getByLabel('File').setInputFiles([file("a & 'b'.txt", 'by form')]);
  await page.getByRole('button', { name: 'Upload' }).click();
  const stored = page.getByRole('status').locator('code');
  await stored.waitFor();
  assert.equal(new URL(page.url()).origin, signpost.url);
  assert.match(await stored.textContent(), /^in\/.*a & 'b'\.txt$/);
  assert.equal(String(await signpost.get(await stored.textContent())), 'by form');
});

test('S3 rejects a file that is too large for the form or has another type', {
  ...NO_SCRIPT,
  policy: rules('max_bytes = "10B"\ncontent_types = ["text/plain"]'),
}, async ({ signpost, open }) => {
  const page = await open('?form');
  await page.getByLabel('File').setInputFiles([file('a.txt', 'more than ten bytes')]);
  await page.getByRole('button', { name: 'Upload' }).click();
  await page.getByText('EntityTooLarge').last().waitFor({ state: 'attached' });
  assert.equal(new URL(page.url()).origin, signpost.s3);

  await page.goto(`${signpost.url}/?form`);
  await page.getByLabel('File').setInputFiles([file('a.txt', 'short')]);
  await page.locator('input[name="Content-Type"]').evaluate((input) => (input.value = 'text/html'));
  const [response] = await Promise.all([
    page.waitForResponse((candidate) => candidate.url().startsWith(signpost.s3)),
    page.getByRole('button', { name: 'Upload' }).click(),
  ]);
  assert.ok([400, 403].includes(response.status()), `${response.status()}`); // 403 on AWS
  const listing = await fetch(`${signpost.url}/?recursive`, { headers: { accept: 'application/json' } });
  assert.deepEqual((await listing.json()).objects, []);
});

test('a confirmation page names the object and deletes it', NO_SCRIPT, async ({ signpost, open }) => {
  await signpost.put('in/a & b.txt', 'a');
  const page = await open('in/');
  await row(page, 'a & b.txt').getByRole('link', { name: 'View' }).click();
  await page.getByRole('link', { name: 'Delete' }).click();
  await page.getByText('in/a & b.txt').first().waitFor();
  assert.ok(await signpost.exists('in/a & b.txt'), 'the confirmation page itself deletes nothing');
  await page.getByRole('button', { name: 'Delete' }).click();
  await page.waitForURL(`${signpost.url}/in/`);
  assert.equal(await signpost.exists('in/a & b.txt'), false);
});

test('a form on another site cannot delete an object', NO_SCRIPT, async ({ signpost, open, context }) => {
  await signpost.put('a.txt', 'a');
  const page = await context.newPage();
  await page.route('http://evil.example/', (route) => {
    const body = `<form method="post" action="${signpost.url}/a.txt?delete"><button>Win</button></form>`;
    route.fulfill({ contentType: 'text/html', body });
  });
  await page.goto('http://evil.example/');
  const rejected = page.waitForResponse((response) => response.url().startsWith(signpost.url));
  await page.getByRole('button').click();
  assert.equal((await rejected).status(), 403);
  assert.ok(await signpost.exists('a.txt'));
});
