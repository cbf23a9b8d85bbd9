// Starts `signpost-local` with the rules of a test, and stores and reads objects through it as any client would.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '../..');
const BINARY = process.env.SIGNPOST_LOCAL || path.join(ROOT, 'target/debug/signpost-local');
const START_MILLISECONDS = 30_000;

/** Rules that let anyone do everything, under these constraints. */
export const rules = (constraints = '', defaults = '', more = '') => `
version = 1

[defaults]
${defaults}

[[rule]]
id = "everything"
who = ["anyone"]
allow_anonymous_write = true
can = ["read", "write", "delete", "list"]
on = ["**"]
${constraints}
${more}`;

export class Signpost {
  /** What the test itself sends as `Authorization`. */
  credential = '';

  static async start({ table = rules(), settings = {}, listen = '127.0.0.1:0' } = {}) {
    const server = new Signpost();
    server.folder = await mkdtemp(path.join(tmpdir(), 'signpost-browser-'));
    await writeFile(path.join(server.folder, 'rules.toml'), table);
    const inherited = Object.entries(process.env).filter(([name]) => !/^(AWS|SIGNPOST)_/.test(name));
    server.process = spawn(BINARY, ['--listen', listen, '--rules', 'rules.toml', '--data', 'data'], {
      cwd: server.folder,
      env: { ...Object.fromEntries(inherited), ...settings },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await server.ready();
    return server;
  }

  ready() {
    let said = '';
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('signpost-local did not start')), START_MILLISECONDS);
      this.process.on('exit', (code) => reject(new Error(`signpost-local ended with ${code}: ${said}`)));
      this.process.stderr.on('data', (data) => {
        said += data;
        const api = /listening on (http:\S+)\n/.exec(said);
        const s3 = /this process on (http:\S+)\n/.exec(said);
        if (!api || !s3) return;
        clearTimeout(timer);
        [this.url, this.s3] = [api[1], s3[1]];
        resolve();
      });
    });
  }

  async stop() {
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill();
    await ended;
    await rm(this.folder, { recursive: true });
  }

  /** The URL of a key, with every byte escaped that a URL could take for something else. */
  at(key) {
    return `${this.url}/${key.split('/').map(escape).join('/')}`;
  }

  get headers() {
    const headers = { accept: 'application/json' };
    return this.credential ? { ...headers, authorization: this.credential } : headers;
  }

  async instruction(method, key, query = '') {
    const response = await fetch(this.at(key) + query, { method, headers: this.headers });
    const answer = await response.json();
    assert.equal(response.status, 200, `${method} ${JSON.stringify(key)}: ${answer.detail}`);
    return answer;
  }

  async put(key, body, type = '') {
    const query = `?contentLength=${Buffer.byteLength(body)}` + (type && `&contentType=${encodeURIComponent(type)}`);
    const { url, headers } = await this.instruction('PUT', key, query);
    const response = await fetch(url, { method: 'PUT', body, headers });
    assert.equal(response.status, 200, `storing ${JSON.stringify(key)}`);
  }

  /** Stores so many small files. */
  async fill(prefix, count) {
    const names = Array.from({ length: count }, (_, index) => `file-${String(index).padStart(4, '0')}.txt`);
    const store = async () => {
      for (let name; (name = names.shift()) !== undefined; ) await this.put(prefix + name, name);
    };
    await Promise.all(Array.from({ length: 8 }, store));
  }

  /** What S3 answers to a HEAD. */
  async head(key) {
    const response = await fetch(`${this.url}/-/sign`, {
      method: 'POST',
      headers: this.headers,
      body: JSON.stringify([{ method: 'HEAD', key }]),
    });
    const [{ url }] = await response.json();
    return fetch(url, { method: 'HEAD' });
  }

  async exists(key) {
    return (await this.head(key)).ok;
  }

  async get(key) {
    const { url } = await this.instruction('GET', key);
    const response = await fetch(url);
    assert.equal(response.status, 200, `reading ${JSON.stringify(key)}`);
    return Buffer.from(await response.arrayBuffer());
  }
}

const escape = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
