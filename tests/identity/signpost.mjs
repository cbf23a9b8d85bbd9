// The local server, and requests of it that follow nothing.

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
const BINARY = process.env.SIGNPOST_LOCAL ?? join(ROOT, 'target/debug/signpost-local')
const READY = /signpost: listening on (http:\/\/\S+?)\/?[\s,]/

export class Signpost {
  static async start(rules, front) {
    const server = new Signpost()
    server.folder = mkdtempSync(join(tmpdir(), 'signpost-identity-'))
    writeFileSync(join(server.folder, 'rules.toml'), rules)
    const environment = Object.entries(process.env).filter(([name]) => !/^(AWS|SIGNPOST)_/.test(name))
    server.key = `k1:${randomBytes(32).toString('base64url')}`
    server.log = ''
    server.process = spawn(BINARY, ['--listen', '127.0.0.1:0', '--rules', 'rules.toml', '--front', front], {
      cwd: server.folder,
      env: { ...Object.fromEntries(environment), SIGNPOST_KEYS: server.key, SIGNPOST_LOG: 'trace' },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    server.url = await new Promise((ready, failed) => {
      server.process.stderr.on('data', (data) => {
        server.log += data
        const found = READY.exec(server.log)
        if (found) ready(found[1])
      })
      server.process.on('exit', () => failed(new Error(server.log)))
    })
    return server
  }

  ask(path, { method = 'GET', ...headers } = {}) {
    return fetch(this.url + path, { method, headers, redirect: 'manual' })
  }

  async stop() {
    const ended = new Promise((done) => this.process.on('exit', done))
    this.process.kill('SIGTERM')
    await ended
    rmSync(this.folder, { recursive: true })
  }
}
