// The actions on an object: deleting, copying links, sharing and previewing.
import assert from 'node:assert/strict';

import { act, listen, row, test, usesBrowser } from './browser.mjs';
import { pdf, png, wav } from './media.mjs';
import { CREDENTIAL, TOKEN_REQUIRED, signIn } from './token.mjs';
import { rules } from './signpost.mjs';

usesBrowser();

const CLIPBOARD = { permissions: ['clipboard-read', 'clipboard-write'] };
const clipboard = (page) => page.evaluate(() => navigator.clipboard.readText());
const focused = (page) => page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent);

test('the dialog for deleting names the object; Escape and Cancel close it, and the focus returns', {}, async ({ signpost, open }) => {
  await signpost.put('in/a.txt', 'a');
  const page = await open('in/');
  for (const close of [() => page.keyboard.press('Escape'), () => page.getByRole('button', { name: 'Cancel' }).click()]) {
    await act(page, 'a.txt', 'delete');
    assert.equal(await page.getByRole('dialog').locator('[data-slot="key"]').textContent(), 'in/a.txt');
    assert.equal(await focused(page), 'Cancel');
    await close();
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    assert.equal(await focused(page), 'Actions for a.txt');
  }
  assert.ok(await signpost.exists('in/a.txt'));
});

test('deleting removes an object from the bucket and the list, and moves the focus to the next row', {}, async ({ signpost, open }) => {
  for (const name of ['a.txt', 'b.txt']) await signpost.put(name, name);
  const page = await open('');
  const requests = listen(page);
  await act(page, 'a.txt', 'delete');
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await row(page, 'a.txt').waitFor({ state: 'detached' });
  assert.equal(await signpost.exists('a.txt'), false);
  assert.ok(await signpost.exists('b.txt'));
  await page.waitForFunction(() => document.activeElement.textContent === 'b.txt');
  assert.equal(await page.locator('#live').textContent(), 'a.txt deleted');
  const deletes = requests.filter(({ method }) => method === 'DELETE').map(({ origin }) => origin);
  assert.deepEqual(deletes, [signpost.url, signpost.s3]);
});

test('an object can be deleted with the keyboard', {}, async ({ signpost, open }) => {
  await signpost.put('a.txt', 'a');
  const page = await open('');
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'Skip to the content');
  await row(page, 'a.txt').locator('.more').focus();
  await page.keyboard.press('Enter');
  for (let tabs = 0; (await focused(page)) !== 'Delete…'; tabs++) {
    assert.ok(tabs < 10, 'the menu does not follow its button');
    await page.keyboard.press('Tab');
  }
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'Delete');
  await page.keyboard.press('Enter');
  await row(page, 'a.txt').waitFor({ state: 'detached' });
  assert.equal(await signpost.exists('a.txt'), false);
});

test('Escape closes the menu and returns the focus', {}, async ({ signpost, open }) => {
  await signpost.put('a.txt', 'a');
  const page = await open('');
  await row(page, 'a.txt').locator('.more').click();
  await page.locator('#menu button').first().focus();
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('#menu').isVisible(), false);
  assert.equal(await focused(page), 'Actions for a.txt');
});

test('the permanent link, the temporary link with its expiry, and the command are copied', CLIPBOARD, async ({ signpost, open }) => {
  const name = "it's 100% [a+b].txt";
  await signpost.put(`in/${name}`, 'content');
  const page = await open('in/');

  await act(page, name, 'copy-link');
  await page.getByText('Link copied.').last().waitFor();
  const link = await clipboard(page);
  assert.equal(link, signpost.at(`in/${name}`));
  assert.equal(await (await fetch(link)).text(), 'content');

  await act(page, name, 'copy-temporary-link');
  await page.locator('.notice').getByText(/Temporary link copied\. It works until .*20\d\d.*\./).waitFor();
  const temporary = await clipboard(page);
  assert.equal(new URL(temporary).origin, signpost.s3);
  assert.equal(await (await fetch(temporary)).text(), 'content');

  await act(page, name, 'copy-curl');
  await page.locator('.notice').getByText('Command copied.').waitFor();
  assert.equal(await clipboard(page), `curl -fL -O '${link}'`);
  await page.locator('.notice').getByRole('button', { name: 'Close' }).click();
  assert.equal(await page.locator('.notice').isVisible(), false);
});

test('if the browser does not allow copying, the page shows and selects the link', {}, async ({ signpost, open }) => {
  await signpost.put('a.txt', 'a');
  const page = await open('');
  await page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined }));
  await act(page, 'a.txt', 'copy-link');
  await page.locator('.notice input').waitFor();
  assert.equal(await page.evaluate(() => getSelection().toString()), signpost.at('a.txt'));
});

const SHARING = { ...CLIPBOARD, ...TOKEN_REQUIRED };

test('a share link expires, and works without a session', SHARING, async ({ signpost, open }) => {
  signpost.credential = CREDENTIAL;
  await signpost.put('a.txt', 'shared');
  const page = await open('');
  await signIn(page);
  await act(page, 'a.txt', 'share');
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('combobox').selectOption('1h');
  await dialog.getByRole('button', { name: 'Create link' }).click();
  await dialog.getByText(/Works until .*20\d\d/).waitFor();
  const link = await dialog.getByLabel('Link', { exact: true }).inputValue();
  assert.ok(link.startsWith(`${signpost.at('a.txt')}?share=`));
  await dialog.getByRole('button', { name: 'Copy' }).click();
  await dialog.getByRole('button', { name: 'Copied' }).waitFor();
  assert.equal(await clipboard(page), link);
  assert.equal(await (await fetch(link)).text(), 'shared');
  assert.equal((await fetch(signpost.at('a.txt'))).status, 401, 'without the link, the request is rejected');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  assert.equal(await focused(page), 'Actions for a.txt');
});

test('the page shows why the rules do not allow a share link', SHARING, async ({ signpost, open }) => {
  signpost.credential = CREDENTIAL;
  await signpost.put('a.txt', 'shared');
  const page = await open('');
  await signIn(page);
  await act(page, 'a.txt', 'share');
  await page.getByRole('combobox').selectOption('7d');
  await page.getByRole('button', { name: 'Create link' }).click();
  await page.locator('.notice').getByText(/at most 2days/).waitFor();
});

const preview = async (page, name) => {
  await act(page, name, 'preview');
  return page.locator('#preview-dialog [data-slot="preview"]');
};

test('images, audio and video are previewed, and audio is requested in ranges', {}, async ({ signpost, open }) => {
  await signpost.put('a.png', png(), 'image/png');
  await signpost.put('a.wav', wav(30), 'audio/wav');
  await signpost.put('broken.mp4', 'no film', 'video/mp4');
  const page = await open('');
  let place = await preview(page, 'a.png');
  await page.waitForFunction(() => document.querySelector('#preview-dialog img')?.naturalWidth === 2);
  assert.equal(await place.locator('img').getAttribute('alt'), 'a.png');
  await page.getByRole('button', { name: 'Close' }).click();
  await place.locator('*').first().waitFor({ state: 'detached' }); // closing the dialog stops playback

  const ranged = page.waitForRequest((request) => request.url().startsWith(signpost.s3) && request.headers().range?.startsWith('bytes='));
  place = await preview(page, 'a.wav');
  await ranged;
  await page.waitForFunction(() => document.querySelector('#preview-dialog audio')?.duration === 30);
  await page.getByRole('button', { name: 'Close' }).click();

  place = await preview(page, 'broken.mp4');
  await place.getByText('cannot show this file').waitFor();
  assert.equal(await place.getByRole('link', { name: 'Download' }).getAttribute('href'), `${signpost.at('broken.mp4')}?download=`);
});

test('audio continues at the same position after its URL has expired', {}, async ({ signpost, open }) => {
  await signpost.put('a.wav', wav(3600), 'audio/wav');
  for (const [path, media] of [['', '#preview-dialog audio'], ['a.wav?view', 'main audio']]) {
    const page = await open(path);
    if (!path) await preview(page, 'a.wav');
    await page.waitForFunction((media) => document.querySelector(media)?.duration === 3600, media);
    const expired = await page.locator(media).getAttribute('src');
    await page.route(`${signpost.s3}/**`, (route) => (route.request().url() === expired ? route.fulfill({ status: 403 }) : route.continue()));
    await page.locator(media).evaluate((element) => (element.currentTime = 3000));
    await page.waitForFunction(
      ([media, expired]) => {
        const { src, readyState, currentTime } = document.querySelector(media);
        return src !== expired && readyState >= 2 && Math.abs(currentTime - 3000) < 5;
      },
      [media, expired],
    );
    await page.close();
  }
});

test('the first part of a text file is previewed as text', {}, async ({ signpost, open }) => {
  const hostile = '<script>pwned()</script><img src=x onerror=pwned()>';
  await signpost.put('page.html', hostile, 'text/html');
  await signpost.put('long.log', 'line of a log\n'.repeat(100_000));
  await signpost.put('empty.txt', '');
  const page = await open('');
  let place = await preview(page, 'page.html');
  await place.locator('pre').waitFor();
  assert.equal(await place.locator('pre').textContent(), hostile);
  await page.getByRole('button', { name: 'Close' }).click();

  place = await preview(page, 'long.log');
  await place.getByText('Only the first 262 kB are shown.').waitFor();
  assert.equal((await place.locator('pre').textContent()).length, 256 * 1024);
  await page.getByRole('button', { name: 'Close' }).click();

  place = await preview(page, 'empty.txt');
  await place.getByText('The file is empty.').waitFor();
});

test('a PDF opens in its own page, as a PDF whatever its stored type is', {}, async ({ signpost, open }) => {
  await signpost.put('a.pdf', pdf(), 'text/html');
  await signpost.put('a.bin', 'whatever');
  const page = await open('');
  let place = await preview(page, 'a.bin');
  await place.getByText('A preview is not available for this type of file.').waitFor();
  await page.getByRole('button', { name: 'Close' }).click();

  place = await preview(page, 'a.pdf');
  assert.equal(await place.locator('iframe').count(), 0);
  const loaded = page.waitForResponse((response) => response.url().startsWith(signpost.s3));
  await place.getByRole('link', { name: 'Open the document' }).click();
  await page.locator('iframe[title="a.pdf"]').waitFor();
  const response = await loaded;
  assert.equal(response.status(), 200);
  assert.equal(response.headers()['content-type'], 'application/pdf');
  assert.match(response.headers()['content-disposition'], /^inline/);
});

test('the page of an object has the same actions, and opens its folder after deleting', CLIPBOARD, async ({ signpost, open }) => {
  await signpost.put('in/a.txt', 'a');
  const page = await open('in/a.txt?view');
  await page.locator('main [data-action="copy-link"]').click();
  await page.locator('.notice').getByText('Link copied.').waitFor();
  assert.equal(await clipboard(page), signpost.at('in/a.txt'));
  await page.locator('main [data-action="delete"]').click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.waitForURL(`${signpost.url}/in/`);
  assert.equal(await signpost.exists('in/a.txt'), false);
});

test('times are shown in the locale of the user and as machine-readable values', {}, async ({ signpost, open }) => {
  await signpost.put('a.txt', 'a');
  const page = await open('');
  const time = row(page, 'a.txt').locator('time');
  assert.match(await time.textContent(), /^\d{1,2} \w{3,4} 20\d\d, \d\d:\d\d$/);
  const modified = new Date(await time.getAttribute('datetime'));
  assert.ok(Math.abs(modified - Date.now()) < 60_000);
});
