// Every page in every state: accessible according to axe-core in light and dark mode, valid HTML, and small.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { HtmlValidate } from 'html-validate';

import { browserName, isFirefox } from '../lib/browsers.mjs';
import { act, choose, file, hasSent, reaches, row, test, throttle, transfer, usesBrowser } from './browser.mjs';
import { inFolder, largeFile, MIB } from './files.mjs';
import { png } from './media.mjs';
import { TOKEN_REQUIRED } from './token.mjs';
import { rules } from './signpost.mjs';

usesBrowser();

const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Firefox ESR has no command for the color scheme. */
const COLOR_SCHEMES = isFirefox ? ['light'] : ['light', 'dark'];

/** Checks the accessibility of a page in its current state, and writes a screenshot if SIGNPOST_BROWSER_PICTURES is set. */
async function inspect(page, state, rules = {}) {
  const pictures = process.env.SIGNPOST_BROWSER_PICTURES;
  for (const colorScheme of COLOR_SCHEMES) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(AXE);
    const { violations } = await page.evaluate(([runOnly, rules]) => window.axe.run({ runOnly, rules }), [WCAG, rules]);
    const descriptions = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => html + failureSummary).join('\n')}`);
    assert.deepEqual(descriptions, [], `${state}, ${colorScheme}`);
    if (pictures) await page.screenshot({ path: `${pictures}/${browserName}-${state}-${colorScheme}.png` });
  }
}

/** Recommended rules that go beyond the standard, and that the pages do not follow. */
const HTML_RULES = {
  'doctype-style': ['error', { style: 'lowercase' }],
  'long-title': 'off', // it names the object
  'no-implicit-button-type': 'off', // a button of a form submits it
  'require-sri': ['error', { target: 'crossorigin' }],
};

const SIZES = { desktop: {}, phone: { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true } };

for (const [device, options] of Object.entries(SIZES)) {
  test(`lists, objects and errors are accessible: ${device}`, options, async ({ signpost, open }) => {
    await inspect(await open('nothing/'), `${device}-empty`);
    for (const name of ['report.pdf', 'a picture.png', `long ${'name '.repeat(30)}.txt`, 'folder/x.txt']) await signpost.put(`in/${name}`, png(), 'image/png');
    const page = await open('in/');
    await inspect(page, `${device}-list`);
    const width = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(width, 0, 'the page does not scroll horizontally');
    await row(page, 'report.pdf').locator('.more').click();
    await inspect(page, `${device}-menu`, { 'target-size': { enabled: false } }); // an open menu covers buttons of other rows
    for (const [path, name] of [['in/a%20picture.png?view', 'object'], ['in/report.pdf?delete', 'delete'], ['in/?form', 'form'], ['a/../-/nowhere', 'not-found'], ['in/?unknown=1', 'bad-request']]) {
      await inspect(await open(path), `${device}-${name}`);
    }
  });

  test(`dialogs and notices are accessible: ${device}`, options, async ({ signpost, open }) => {
    await signpost.put('a.png', png(), 'image/png');
    const page = await open('');
    await act(page, 'a.png', 'delete');
    await inspect(page, `${device}-confirm-delete`);
    await page.keyboard.press('Escape');
    await act(page, 'a.png', 'preview');
    await page.locator('#preview-dialog img').waitFor();
    await inspect(page, `${device}-preview`);
    await page.keyboard.press('Escape');
    await choose(page, 'upload-files', [file('a.png', 'new')]);
    await page.getByRole('dialog').waitFor();
    await inspect(page, `${device}-confirm-overwrite`);
    await page.keyboard.press('Escape');
    await page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined }));
    await act(page, 'a.png', 'copy-link');
    await page.locator('.notice').waitFor();
    await inspect(page, `${device}-notice`);
  });

  test(`transfers are accessible in every state: ${device}`, { ...options, policy: rules('max_bytes = "100MB"') }, async ({ signpost, open }) => {
    await inFolder(async (folder) => {
      await signpost.put('exists.txt', 'old');
      const page = await open('');
      await throttle(page, 2 * MIB);
      const large = await Promise.all(['running', 'paused'].map((name) => largeFile(folder, `${name}.bin`, 70 * MIB)));
      const refused = await largeFile(folder, 'refused.bin', 120 * MIB);
      await choose(page, 'upload-files', [...large, refused]);
      await reaches(page, 'refused.bin', 'failed');
      await hasSent(page, 'running.bin', 0.001);
      await page.getByRole('button', { name: 'Pause paused.bin' }).click();
      await choose(page, 'upload-files', [file('done.txt', 'x'), file('exists.txt', 'x')]);
      await page.getByRole('dialog').getByRole('button', { name: 'Skip' }).click();
      await reaches(page, 'done.txt', 'done');
      await transfer(page, 'running.bin').scrollIntoViewIfNeeded();
      await inspect(page, `${device}-transfers`);
      await page.reload();
      await reaches(page, 'paused.bin', 'unfinished');
      await inspect(page, `${device}-unfinished`);
    });
  });
}

const READERS_ONLY = `
version = 1
[[token]]
id = "ci"
sha256 = "${'0'.repeat(64)}"
[[rule]]
id = "readers"
who = ["token:ci"]
can = ["read", "list"]
on = ["**"]`;

test('error pages are accessible', { policy: READERS_ONLY }, async ({ open }) => {
  const page = await open('in/');
  assert.equal(page.response.status(), 401);
  await inspect(page, 'no-permission');
});

/** The errors in the HTML of these pages. */
async function htmlErrors(signpost, paths) {
  const validator = new HtmlValidate({ extends: ['html-validate:recommended', 'html-validate:document', 'html-validate:a11y'], rules: HTML_RULES });
  const faults = [];
  for (const path of paths) {
    const response = await fetch(`${signpost.url}/${path}`, { headers: { accept: 'text/html' } });
    assert.match(response.headers.get('content-type'), /^text\/html/, path);
    const { results } = await validator.validateString(await response.text());
    for (const { ruleId, message, line, column } of results.flatMap(({ messages }) => messages)) faults.push(`/${path} ${line}:${column} ${ruleId}: ${message}`);
  }
  return faults;
}

test('the pages for signing in and for the API are accessible, valid, and use the same style', TOKEN_REQUIRED, async ({ signpost, open }) => {
  for (const [path, name] of [['-/login', 'login'], ['-/docs', 'docs']]) await inspect(await open(path), name);
  const page = await open('-/login');
  await page.getByLabel('Token').fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').waitFor();
  await inspect(page, 'login-again');
  assert.equal(await page.locator('link[rel="stylesheet"]').count(), 1);
  assert.deepEqual(await htmlErrors(signpost, ['-/login', '-/docs']), []);
});

test('every page is valid HTML', {}, async ({ signpost }) => {
  const awkward = `"><b>&amp;'`;
  for (const name of ['a.txt', 'a.png', 'a.mp4', 'a.mp3', 'a.pdf', awkward, 'folder/b.txt']) await signpost.put(`in/${name}`, 'x');
  const object = encodeURIComponent(awkward);
  const paths = ['', 'in/', 'in/?sort=size&order=desc', 'in/?recursive', 'in/?q=a', 'nothing/', `in/${object}?view`, 'in/a.png?view', 'in/a.mp4?view', 'in/a.mp3?view', 'in/a.pdf?view', `in/${object}?delete`, 'in/?form', 'in/?unknown=1', '-/nowhere'];
  assert.deepEqual(await htmlErrors(signpost, paths), []);
});

test('script and style are below 19 KB together, immutable and compressed', {}, async ({ signpost, open }) => {
  const page = await open('');
  const assets = await page.locator('script[src], link[rel="stylesheet"]').evaluateAll((elements) => elements.map(({ src, href }) => src ?? href));
  assert.equal(assets.length, 2);
  let sum = 0;
  for (const url of assets) {
    const response = await fetch(url, { headers: { 'accept-encoding': 'gzip' } });
    assert.equal(response.status, 200);
    assert.match(response.headers.get('cache-control'), /immutable/);
    assert.equal(response.headers.get('content-encoding'), 'gzip');
    assert.ok(url.startsWith(`${signpost.url}/-/assets/`));
    sum += Number(response.headers.get('content-length'));
    assert.ok(gzipSync(await response.text(), { level: 9 }).length > 1000);
  }
  assert.ok(sum > 0 && sum < 19_000, `${sum} bytes`);
});

test('a page with 1,000 rows transfers less than 25 KB', {}, async ({ signpost, open }) => {
  await signpost.fill('in/', 1000);
  const page = await open('in/');
  assert.equal(await page.locator('#entries tr').count(), 1000);
  const { encodedBodySize } = await page.evaluate(() => performance.getEntriesByType('navigation')[0].toJSON());
  assert.ok(encodedBodySize > 0 && encodedBodySize < 25_000, `${encodedBodySize} bytes`);
});

test('no page can be framed, run inline script, or send a referrer', {}, async ({ signpost, open }) => {
  await signpost.put('a.txt', 'a');
  for (const path of ['', 'a.txt?view', 'a.txt?delete', '?form', '?unknown=1']) {
    const { response } = await open(path);
    const headers = response.headers();
    const policy = headers['content-security-policy'] ?? '';
    for (const part of ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"]) assert.ok(policy.includes(part), `/${path}: ${policy}`);
    assert.ok(!/unsafe|\*/.test(policy), policy);
    assert.match(headers['referrer-policy'], /no-referrer|same-origin/);
    assert.equal(headers['x-content-type-options'], 'nosniff');
  }
});
