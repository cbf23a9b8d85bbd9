// A local server that stores and reads objects through Signpost, as any client does.
import assert from 'node:assert/strict';

import { LocalServer } from '../lib/local_server.mjs';

/** Rules that allow everything to anyone, with these constraints. */
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

export class Signpost extends LocalServer {
  /** The `Authorization` header of the requests of this class. */
  credential = '';

  /** The URL of a key. Every character that has a meaning in URLs is escaped. */
  at(key) {
    return `${this.url}/${key.split('/').map(escape).join('/')}`;
  }

  get headers() {
    const headers = { accept: 'application/vnd.signpost+json, application/json' };
    return this.credential ? { ...headers, authorization: this.credential } : headers;
  }

  async instruction(method, key, query = '') {
    const response = await fetch(this.at(key) + query, { method, headers: this.headers });
    const instruction = await response.json();
    assert.equal(response.status, 200, `${method} ${JSON.stringify(key)}: ${instruction.detail}`);
    return instruction;
  }

  async put(key, body, type = '') {
    const query = `?contentLength=${Buffer.byteLength(body)}` + (type && `&contentType=${encodeURIComponent(type)}`);
    const { url, headers } = await this.instruction('PUT', key, query);
    const response = await fetch(url, { method: 'PUT', body, headers });
    assert.equal(response.status, 200, `storing ${JSON.stringify(key)}`);
  }

  /** Stores `count` small files. */
  async fill(prefix, count) {
    const names = Array.from({ length: count }, (_, index) => `file-${String(index).padStart(4, '0')}.txt`);
    const store = async () => {
      for (let name; (name = names.shift()) !== undefined; ) await this.put(prefix + name, name);
    };
    await Promise.all(Array.from({ length: 8 }, store));
  }

  /** The response of S3 to a HEAD request. */
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
