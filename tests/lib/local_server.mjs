// Starts `signpost-local` on ports that the system chooses.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '../..');
const BINARY = process.env.SIGNPOST_LOCAL || path.join(ROOT, 'target/debug/signpost-local');
const START_MILLISECONDS = 30_000;

/** A running server: `url` is the address of Signpost and `s3` that of its S3, both without a trailing slash; `log` is its standard error. */
export class LocalServer {
  log = '';

  /** Starts a server with the text of a rules file. `settings` are environment variables, `options` are command-line options. */
  static async start({ rules, settings = {}, options = [] }) {
    const server = new this();
    server.folder = await mkdtemp(path.join(tmpdir(), 'signpost-tests-'));
    await writeFile(path.join(server.folder, 'rules.toml'), rules);
    const inherited = Object.entries(process.env).filter(([name]) => !/^(AWS|SIGNPOST)_/.test(name));
    server.process = spawn(BINARY, ['--listen', '127.0.0.1:0', '--rules', 'rules.toml', '--data', 'data', ...options], {
      cwd: server.folder,
      env: { ...Object.fromEntries(inherited), ...settings },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await server.ready();
    return server;
  }

  ready() {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`signpost-local did not start: ${this.log}`)), START_MILLISECONDS);
      this.process.on('exit', (code) => reject(new Error(`signpost-local ended with ${code}: ${this.log}`)));
      this.process.stderr.on('data', (data) => {
        this.log += data;
        if (this.url) return;
        const api = /signpost: listening on (http:\S+?)\/?\n/.exec(this.log);
        const s3 = /^ *objects .*(http:\S+?)\/?\n/m.exec(this.log);
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
}

/** The SHA-256 digest that a `[[token]]` table of a rules file contains. */
export const tokenDigest = (secret) => createHash('sha256').update(secret).digest('hex');
