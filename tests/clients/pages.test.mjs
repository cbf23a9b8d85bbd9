// Runs the code of docs/UPPY.md, and the block for web pages of docs/CLIENTS.md, in a page of another origin. The stored objects
// must equal the uploaded files.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { build } from 'esbuild';
import * as playwright from 'playwright-core';

import { launchBrowser } from '../lib/browsers.mjs';
import { LocalServer } from '../lib/local_server.mjs';

const ROOT = path.resolve(import.meta.dirname, '../..');
const MIB = 2 ** 20;
const HOST = 'https://files.example.com/';
const blocks = async (name, before) =>
  [...(await readFile(path.join(ROOT, 'docs', name), 'utf8')).matchAll(new RegExp(`${before}\`\`\`js\\n(.*?)\`\`\``, 'gs'))].map(([, code]) => code);
const [GLUE, CONFLICT, LIMITED] = await blocks('UPPY.md', '');
const [PLAIN] = await blocks('CLIENTS.md', '<!-- in a page -->\\n');

const rules = (constraints) => `
version = 1
[[rule]]
id = "in"
who = ["anyone"]
allow_anonymous_write = true
can = ["read", "write"]
on = ["in/**", "2026/**"]
${constraints}`;

/**
 * The script of the page: the first block of the document, and the handler of conflicts. With `limited`, the block for rules with limits
 * replaces its part of the first.
 */
async function uppyPage(signpost, limited) {
  const [imports, host, options] = [/^import .*$/gm, /^const SIGNPOST = .*$/m, /^const uppy = .*\n}\);$/ms].map((part) => GLUE.match(part));
  const replaced = `new Uppy().use(AwsS3, { signRequest, generateObjectKey, getChunkSize: partSize, shouldUseMultipart: (file) => file.size > 64 * 2 ** 20 });`;
  const code = limited ? [...imports, host[0], LIMITED, `const uppy = ${replaced}`].join('\n') : GLUE;
  assert.ok(options, 'the document creates an Uppy instance');
  assert.ok(code.includes(HOST));
  const contents = `${code.replace(HOST, `${signpost}/`)}\n${CONFLICT}\nwindow.uppy = uppy;`;
  const { outputFiles } = await build({ stdin: { contents, resolveDir: import.meta.dirname }, bundle: true, write: false, format: 'iife' });
  return outputFiles[0].text;
}

class Site {
  async start(constraints, script) {
    this.web = createServer((request, response) => {
      const script = request.url === '/page.js';
      response.setHeader('Content-Type', script ? 'text/javascript' : 'text/html');
      response.end(script ? this.script : '<!doctype html><meta charset="utf-8"><title>Uppy</title><script src="/page.js"></script>');
    });
    await new Promise((resolve) => this.web.listen(0, '127.0.0.1', resolve));
    this.page = `http://127.0.0.1:${this.web.address().port}/`;
    this.server = await LocalServer.start({ rules: rules(constraints), settings: { SIGNPOST_CORS_ORIGINS: this.page.slice(0, -1) } });
    this.signpost = this.server.url;
    this.script = await script(this.signpost);
    return this;
  }

  async stop() {
    await this.server.stop();
    this.web.close();
  }

  /** Lets the page upload a file of random bytes with `send`. Returns the result, the digest of the file, and the requests to S3. */
  async upload(send, name, type, size) {
    const page = await browser.newPage();
    const sent = [];
    page.on('request', (request) => {
      if (request.method() !== 'OPTIONS' && request.url().includes('X-Amz-Signature')) sent.push(request);
    });
    try {
      await page.goto(this.page);
      const result = await page.evaluate(async ([send, name, type, size]) => {
        const chunks = [];
        for (let left = size; left > 0; left -= 65_536) chunks.push(crypto.getRandomValues(new Uint8Array(Math.min(left, 65_536))));
        const data = new Blob(chunks, { type });
        const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await data.arrayBuffer()));
        return { digest: [...digest], ...(await eval(send)(name, type, data)) };
      }, [`(${send})`, name, type, size]);
      return { ...result, digest: Buffer.from(result.digest).toString('hex'), sent: sent.map((request) => step(request)) };
    } finally {
      await page.close();
    }
  }

  async stored(key) {
    const response = await fetch(`${this.signpost}/${key.split('/').map(encodeURIComponent).join('/')}`);
    const body = Buffer.from(await response.arrayBuffer());
    return { status: response.status, type: response.headers.get('content-type'), size: body.length, digest: createHash('sha256').update(body).digest('hex') };
  }
}

const step = (request) => {
  const { searchParams } = new URL(request.url());
  const names = ['uploads', 'partNumber', 'uploadId'].filter((name) => searchParams.has(name));
  return [request.method(), ...names].join(' ');
};

async function uploadWithUppy(name, type, data) {
  uppy.addFile({ name, type, data });
  const { successful, failed } = await uppy.upload();
  return { keys: successful.map((file) => file.response.body.key), errors: failed.map((file) => file.error) };
}

async function uploadWithFetch(name, type, data) {
  const error = await upload(new File([data], name, { type })).catch((error) => error.message);
  return error ? { keys: [], errors: [error] } : { keys: [`2026/${name}`], errors: [] };
}

let browser;
before(async () => {
  browser = await launchBrowser(playwright);
});
after(() => browser.close());

for (const [title, constraints, limited] of [
  ['the short version', '', false],
  ['the version for limits', 'max_bytes = 70000000\ncontent_types = ["image/*", "application/octet-stream"]', true],
]) {
  describe(title, () => {
    let site;
    before(async () => {
      site = await new Site().start(constraints, (signpost) => uppyPage(signpost, limited));
    });
    after(() => site.stop());

    test(`${title}: a small file is uploaded with one PUT`, async () => {
      const result = await site.upload(uploadWithUppy, 'a é&b.png', 'image/png', 300_000);
      assert.deepEqual(result.errors, []);
      assert.deepEqual(result.sent, ['PUT']);
      const [key] = result.keys;
      assert.match(key, /^in\/[0-9a-f-]{36}-a é&b\.png$/);
      assert.deepEqual(await site.stored(key), { status: 200, type: 'image/png', size: 300_000, digest: result.digest });
    });

    test(`${title}: a large file is uploaded in parts`, async () => {
      const size = 66 * MIB + 1;
      const result = await site.upload(uploadWithUppy, 'large.bin', 'application/octet-stream', size);
      assert.deepEqual(result.errors, []);
      const part = 'PUT partNumber uploadId';
      assert.deepEqual(result.sent, ['POST uploads', part, part, part, part, part, 'POST uploadId']);
      const stored = await site.stored(result.keys[0]);
      assert.deepEqual(stored, { status: 200, type: 'application/octet-stream', size, digest: result.digest });
    });

    if (!limited) return;
    test(`${title}: a rejected upload fails with the reason`, async () => {
      for (const [name, type, size, reason] of [
        ['page.html', 'text/html', 10, /media type/],
        ['large.bin', 'application/octet-stream', 70_000_001, /70000001 bytes/],
      ]) {
        const result = await site.upload(uploadWithUppy, name, type, size);
        assert.deepEqual(result.keys, []);
        assert.match(result.errors[0], reason);
        assert.deepEqual(result.sent, []);
      }
    });
  });
}

test('the block for web pages stores a file and reports errors', async () => {
  const site = await new Site().start('max_bytes = 300000', (signpost) => PLAIN.replace(HOST, `${signpost}/`));
  try {
    const result = await site.upload(uploadWithFetch, 'a é&b?.png', 'image/png', 300_000);
    assert.deepEqual([result.errors, result.sent], [[], ['PUT']]);
    assert.deepEqual(await site.stored(result.keys[0]), { status: 200, type: 'image/png', size: 300_000, digest: result.digest });
    assert.match((await site.upload(uploadWithFetch, 'large', '', 300_001)).errors[0], /300001 bytes/);
    assert.match((await site.upload(uploadWithFetch, 'a é&b?.png', '', 1)).errors[0], /412/, 'it must not replace an object');
  } finally {
    await site.stop();
  }
});
