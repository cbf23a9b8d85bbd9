// Pages of a service with several buckets: a mount is a folder, and a file goes to the bucket of its folder, also in another store.
import assert from 'node:assert/strict';
import { after } from 'node:test';

import { act, choose, file, listen, reaches, row, test, usesBrowser } from './browser.mjs';
import { digestOfFile, digestOfObject, inFolder, largeFile, MIB, smallFile } from './files.mjs';
import { Signpost, rules } from './signpost.mjs';

const KEY_PAIR = { id: 'other-store', secret: 'a-secret-of-the-other-store' };

/** Another service, whose S3 is the other store. Its bucket is mounted below a prefix. */
const other = await Signpost.start({
  rules: rules(),
  settings: { SIGNPOST_LOCAL_S3_ACCESS_KEY_ID: KEY_PAIR.id, SIGNPOST_LOCAL_S3_SECRET_ACCESS_KEY: KEY_PAIR.secret },
});
after(() => other.stop());
usesBrowser();

const MOUNTS = `
[[mount]]
at = "second/"
bucket = "second-bucket"

[[mount]]
at = "far/other/"
bucket = "signpost"
prefix = "team/"
endpoint = "${other.s3}"
credentials = "OTHER"
`;
const SERVICE = {
  policy: rules('', '', MOUNTS),
  settings: { SIGNPOST_CREDENTIALS_OTHER: `${KEY_PAIR.id}:${KEY_PAIR.secret}` },
};

test('mounts are folders, and a file goes to the store of its folder', SERVICE, async ({ signpost, open }) => {
  const page = await open('');
  await row(page, 'second/').waitFor();
  await row(page, 'far/').getByRole('link', { name: 'far/' }).click();
  await row(page, 'other/').getByRole('link', { name: 'other/' }).click();
  const requests = listen(page);
  await choose(page, 'upload-files', [file('report.txt', 'far away')]);
  await reaches(page, 'report.txt', 'done');
  await row(page, 'report.txt').waitFor();
  assert.equal(String(await other.get('team/report.txt')), 'far away');
  const origins = new Set(requests.filter(({ method }) => method === 'PUT').map(({ origin }) => origin));
  assert.ok(origins.has(other.s3) && !origins.has(signpost.s3), [...origins].join(' '));
  await act(page, 'report.txt', 'delete');
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await row(page, 'report.txt').waitFor({ state: 'detached' });
  const missing = await fetch((await other.instruction('GET', 'team/report.txt')).url);
  assert.equal(missing.status, 404);
});

test('a large file goes to another store in parts', SERVICE, async ({ open }) => {
  await inFolder(async (folder) => {
    const large = await largeFile(folder, 'large.bin', 40 * MIB);
    const page = await open('far/other/in/');
    await choose(page, 'upload-files', large);
    await reaches(page, 'large.bin', 'done');
    assert.equal(await digestOfObject(other, 'team/in/large.bin'), await digestOfFile(large));
  });
});

const NO_FOLDERS = { ...SERVICE, notInFirefox: 'WebDriver BiDi cannot choose a folder' };

test('the files of a folder go to the stores of their keys', NO_FOLDERS, async ({ signpost, open }) => {
  await inFolder(async (folder) => {
    await smallFile(folder, 'far/other/one.txt', '1');
    await smallFile(folder, 'far/two.txt', '2');
    const page = await open('');
    await choose(page, 'upload-folder', `${folder}/far`);
    await reaches(page, 'far/other/one.txt', 'done');
    await reaches(page, 'far/two.txt', 'done');
    assert.equal(String(await other.get('team/one.txt')), '1');
    assert.equal(String(await signpost.get('far/two.txt')), '2');
  });
});
