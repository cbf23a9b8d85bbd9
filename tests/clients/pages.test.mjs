// The code of docs/UPPY.md, and the block for pages of docs/CLIENTS.md, as they stand there, in a page of another origin: what they
// upload is what S3 has.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { build } from 'esbuild';
import { chromium } from 'playwright-core';

const ROOT = path.resolve(import.meta.dirname, '../..');
const BINARY = process.env.SIGNPOST_LOCAL ?? path.join(ROOT, 'target/debug/signpost-local');
const FLAGS = ['--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const MIB = 2 ** 20;
const HOST = 'https://files.example.com/';
const blocks = async (name, before) =>
  [...(await readFile(path.join(ROOT, 'docs', name), 'utf8')).matchAll(new RegExp(`${before}\`\`\`js\\n(.*?)\`\`\``, 'gs'))].map(([, code]) => code);
const [GLUE, LIMITED] = await blocks('UPPY.md', '');
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

/** The page: the document's glue, and for limits its second block in place of what that replaces. */
async function uppyPage(signpost, limited) {
  const [imports, host, options] = [/^import .*$/gm, /^const SIGNPOST = .*$/m, /^const uppy = .*\n}\);$/ms].map((part) => GLUE.match(part));
  const replaced = `new Uppy().use(AwsS3, { signRequest, generateObjectKey, getChunkSize: partSize, shouldUseMultipart: (file) => file.size > 64 * 2 ** 20 });`;
  const code = limited ? [...imports, host[0], LIMITED, `const uppy = ${replaced}`].join('\n') : GLUE;
  assert.ok(options, 'the document makes an uppy');
  assert.ok(code.includes(HOST));
  const contents = `${code.replace(HOST, `${signpost}/`)}\nwindow.uppy = uppy;`;
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
    this.folder = await mkdtemp(path.join(tmpdir(), 'signpost-uppy-'));
    await writeFile(path.join(this.folder, 'rules.toml'), rules(constraints));
    const inherited = Object.entries(process.env).filter(([name]) => !/^(AWS|SIGNPOST)_/.test(name));
    this.process = spawn(BINARY, ['--listen', '127.0.0.1:0', '--rules', 'rules.toml', '--data', 'data'], {
      cwd: this.folder,
      env: { ...Object.fromEntries(inherited), SIGNPOST_CORS_ORIGINS: this.page.slice(0, -1) },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.signpost = await new Promise((resolve, reject) => {
      let said = '';
      this.process.on('exit', (code) => reject(new Error(`signpost-local ended with ${code}: ${said}`)));
      this.process.stderr.on('data', (data) => {
        said += data;
        const found = /listening on (http:\S+?)\/?\n/.exec(said);
        if (found) resolve(found[1]);
      });
    });
    this.script = await script(this.signpost);
    return this;
  }

  async stop() {
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill();
    await ended;
    this.web.close();
    await rm(this.folder, { recursive: true });
  }

  /** Has the page upload a file of random bytes with `send`; what came of it, the digest, and the requests that went to S3. */
  async upload(send, name, type, size) {
    const page = await browser.newPage();
    const sent = [];
    page.on('request', (request) => {
      if (request.method() !== 'OPTIONS' && request.url().includes('X-Amz-Signature')) sent.push(request);
    });
    try {
      await page.goto(this.page);
      const said = await page.evaluate(async ([send, name, type, size]) => {
        const pieces = [];
        for (let left = size; left > 0; left -= 65_536) pieces.push(crypto.getRandomValues(new Uint8Array(Math.min(left, 65_536))));
        const data = new Blob(pieces, { type });
        const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await data.arrayBuffer()));
        return { digest: [...digest], ...(await eval(send)(name, type, data)) };
      }, [`(${send})`, name, type, size]);
      return { ...said, digest: Buffer.from(said.digest).toString('hex'), sent: sent.map((request) => step(request)) };
    } finally {
      await page.close();
    }
  }

  async stored(key) {
    const answer = await fetch(`${this.signpost}/${key.split('/').map(encodeURIComponent).join('/')}`);
    const body = Buffer.from(await answer.arrayBuffer());
    return { status: answer.status, type: answer.headers.get('content-type'), size: body.length, digest: createHash('sha256').update(body).digest('hex') };
  }
}

const step = (request) => {
  const { searchParams } = new URL(request.url());
  const named = ['uploads', 'partNumber', 'uploadId'].filter((name) => searchParams.has(name));
  return [request.method(), ...named].join(' ');
};

async function byUppy(name, type, data) {
  uppy.addFile({ name, type, data });
  const { successful, failed } = await uppy.upload();
  return { keys: successful.map((file) => file.response.body.key), errors: failed.map((file) => file.error) };
}

async function byFetch(name, type, data) {
  const error = await upload(new File([data], name, { type })).catch((error) => error.message);
  return error ? { keys: [], errors: [error] } : { keys: [`2026/${name}`], errors: [] };
}

let browser;
before(async () => {
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', chromiumSandbox: false, args: FLAGS });
});
after(() => browser.close());

for (const [title, constraints, limited] of [
  ['the ten lines', '', false],
  ['the lines for limits', 'max_bytes = 70000000\ncontent_types = ["image/*", "application/octet-stream"]', true],
]) {
  describe(title, () => {
    let site;
    before(async () => {
      site = await new Site().start(constraints, (signpost) => uppyPage(signpost, limited));
    });
    after(() => site.stop());

    test(`${title}: a small file is one PUT`, async () => {
      const said = await site.upload(byUppy, 'a é&b.png', 'image/png', 300_000);
      assert.deepEqual(said.errors, []);
      assert.deepEqual(said.sent, ['PUT']);
      const [key] = said.keys;
      assert.match(key, /^in\/[0-9a-f-]{36}-a é&b\.png$/);
      assert.deepEqual(await site.stored(key), { status: 200, type: 'image/png', size: 300_000, digest: said.digest });
    });

    test(`${title}: a large file goes in parts`, async () => {
      const size = 66 * MIB + 1;
      const said = await site.upload(byUppy, 'large.bin', 'application/octet-stream', size);
      assert.deepEqual(said.errors, []);
      const part = 'PUT partNumber uploadId';
      assert.deepEqual(said.sent, ['POST uploads', part, part, part, part, part, 'POST uploadId']);
      const stored = await site.stored(said.keys[0]);
      assert.deepEqual(stored, { status: 200, type: 'application/octet-stream', size, digest: said.digest });
    });

    if (!limited) return;
    test(`${title}: what is refused fails with the reason`, async () => {
      for (const [name, type, size, reason] of [
        ['page.html', 'text/html', 10, /media type/],
        ['large.bin', 'application/octet-stream', 70_000_001, /70000001 bytes/],
      ]) {
        const said = await site.upload(byUppy, name, type, size);
        assert.deepEqual(said.keys, []);
        assert.match(said.errors[0], reason);
        assert.deepEqual(said.sent, []);
      }
    });
  });
}

test('the block for pages stores a file, and says why not', async () => {
  const site = await new Site().start('max_bytes = 300000', (signpost) => PLAIN.replace(HOST, `${signpost}/`));
  try {
    const said = await site.upload(byFetch, 'a é&b?.png', 'image/png', 300_000);
    assert.deepEqual([said.errors, said.sent], [[], ['PUT']]);
    assert.deepEqual(await site.stored(said.keys[0]), { status: 200, type: 'image/png', size: 300_000, digest: said.digest });
    assert.match((await site.upload(byFetch, 'large', '', 300_001)).errors[0], /300001 bytes/);
    assert.match((await site.upload(byFetch, 'a é&b?.png', '', 1)).errors[0], /412/, 'it replaces nothing');
  } finally {
    await site.stop();
  }
});
