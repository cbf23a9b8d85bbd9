// Stores, reads, lists and deletes objects with four HTTP libraries, and prints what happened as JSON.
import { createReadStream, writeFileSync } from 'node:fs';

import axios from 'axios';
import got from 'got';
import ky from 'ky';
import superagent from 'superagent';

const [, , origin, credential] = process.argv;
const headers = JSON.parse(credential);
const wrong = Object.fromEntries(Object.keys(headers).map((name) => [name, 'Bearer wrong']));
const BYTES = Buffer.from(Array.from({ length: 70_001 }, (_, index) => index % 251));
const DOCUMENT = { stored: 'as JSON' };
writeFileSync('streamed', BYTES);

const libraries = {
  axios: {
    put: (url, body) => axios.put(url, body, { headers }),
    putJson: (url) => axios.put(url, DOCUMENT, { headers }),
    bytes: async (url, headers) => (await axios.get(url, { headers, responseType: 'arraybuffer' })).data,
    json: async (url) => (await axios.get(url, { headers })).data,
    remove: (url) => axios.delete(url, { headers }),
  },
  got: {
    put: (url, body) => got.put(url, { headers, body }),
    putJson: (url) => got.put(url, { headers, json: DOCUMENT }),
    bytes: (url, headers) => got(url, { headers, retry: { limit: 0 } }).buffer(),
    json: (url) => got(url, { headers }).json(),
    remove: (url) => got.delete(url, { headers }),
  },
  ky: {
    put: (url, body) => ky.put(url, { headers, body: Buffer.isBuffer(body) ? new Blob([body]) : body, duplex: 'half', retry: 0 }),
    putJson: (url) => ky.put(url, { headers, json: DOCUMENT }),
    bytes: async (url, headers) => Buffer.from(await ky(url, { headers, retry: 0 }).arrayBuffer()),
    json: (url) => ky(url, { headers }).json(),
    remove: (url) => ky.delete(url, { headers }),
  },
  superagent: {
    put: (url, body) => (Buffer.isBuffer(body) ? superagent.put(url).set(headers).type('bin').send(body) : piped(url, body)),
    putJson: (url) => superagent.put(url).set(headers).send(DOCUMENT),
    bytes: async (url, headers) => (await superagent.get(url).set(headers).buffer(true)).body,
    json: async (url) => (await superagent.get(url).set(headers).accept('json')).body,
    remove: (url) => superagent.delete(url).set(headers),
  },
};

/** Sends a stream with superagent, whose promise does not cover streams. */
function piped(url, stream) {
  const request = superagent.put(url).set(headers);
  const done = new Promise((resolve, reject) => {
    request.on('response', (response) => (response.ok ? resolve() : reject(new Error(String(response.status)))));
    request.on('error', reject);
  });
  stream.pipe(request);
  return done;
}

const rejected = (promise) => promise.then(() => 'accepted', () => 'rejected');
const isStored = async (library, url) => (await library.bytes(url, headers)).equals(BYTES);

async function use(library, folder) {
  const url = (name) => `${origin}/${folder}/${name}`;
  await library.put(url('bytes'), BYTES);
  await library.putJson(url('json'));
  const results = {
    storesBytes: Buffer.from(await (await fetch(url('bytes'), { headers })).arrayBuffer()).equals(BYTES),
    storesJson: await (await fetch(url('json'), { headers })).json(),
    readsBytes: await isStored(library, url('bytes')),
    readsJson: await library.json(url('json')),
    readsWithWrongToken: await rejected(library.bytes(url('bytes'), wrong)),
    storesStream: await rejected(library.put(url('streamed'), createReadStream('streamed'))),
    lists: (await library.json(url(''))).objects.map(({ name }) => name),
  };
  await library.remove(url('bytes'));
  results.deletes = (await fetch(url('bytes'), { headers })).status === 404;
  return results;
}

const results = {};
for (const [name, library] of Object.entries(libraries)) results[name] = await use(library, `libraries/${name}`);
console.log(JSON.stringify(results));
