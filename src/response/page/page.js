// The script of the pages. It requests an instruction (JSON) from Signpost and then sends the file to S3. It uses
// XMLHttpRequest, because XMLHttpRequest has progress events for uploads. It follows no redirects, and it inserts names as
// text, never as markup.

const MIB = 1024 * 1024;
const MULTIPART_THRESHOLD = 64 * MIB;
const PART_SIZE = 8 * MIB;
const MAX_PARTS = 10_000;
const MAX_PUT_SIZE = 5 * 1024 * MIB; // the limit of S3 for one request
const MAX_CONCURRENT_FILES = 3;
const MAX_CONCURRENT_PARTS = 5;
const MAX_CONCURRENT_REQUESTS = 6; // the limit of browsers for connections to one host
const URLS_PER_REQUEST = 20;
const MAX_TRIES = 8;
const TEXT_PREVIEW_BYTES = 256 * 1024;

const find = (selector, within = document) => within.querySelector(selector);
const findAll = (selector, within = document) => [...within.querySelectorAll(selector)];
const main = find('#main');
const api = new URL(document.body.dataset.api ?? './', location.href);
const prefix = main.dataset.prefix ?? '';
const can = new Set((main.dataset.can ?? '').split(' '));

function createElement(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const createButton = (label, onclick) => createElement('button', { type: 'button', onclick }, label);

/** Announces a text to screen readers. */
function announce(text) {
  find('#live').textContent = escapeInvisible(text);
}

// The same characters as in `is_invisible` of src/encoding.rs.
const INVISIBLE =
  /[\p{Cc}\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e007f}]/gu;

/** Escapes the characters that can change or hide other text. */
function escapeInvisible(name) {
  return name.replace(INVISIBLE, (c) => `\\u${c.codePointAt(0).toString(16).padStart(4, '0')}`);
}

const numberFormat = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });

function formatBytes(count) {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  for (; count >= 999.5 && unit < 4; unit++) count /= 1000;
  return `${numberFormat.format(count)} ${units[unit]}`;
}

function formatDuration(seconds) {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const dateFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

function localiseTimes(within) {
  for (const time of findAll('time:not([datetime])', within)) {
    const date = new Date(time.textContent.trim().replace(' ', 'T'));
    if (isNaN(date)) continue;
    time.dateTime = date.toISOString();
    time.title = date;
    time.textContent = dateFormat.format(date);
  }
}

// Requests to Signpost

/** An error of Signpost, S3 or the network. A network error has the `status` 0. */
class RequestError extends Error {
  constructor(message, { status = 0, code = '', source = '' } = {}) {
    super(message);
    Object.assign(this, { status, code, source });
    // After this conflict, S3 never completes the same multipart upload.
    const isFinal = code === 'ConditionalRequestConflict';
    this.transient = !isFinal && ([0, 409, 429].includes(status) || status >= 500 || code === 'RequestTimeout');
  }

  get sessionEnded() {
    return this.source === 'signpost' && this.status === 401;
  }
}

/**
 * S3 has stored a part, but the CORS rules of the bucket hide its ETag. Other clients that may write can replace parts. Without
 * ETags, the page cannot notice that, so it does not complete the upload.
 */
class HiddenEtagError extends RequestError {
  constructor() {
    super('The CORS rules of the bucket must expose the ETag header for uploads of this size.', { status: 400 });
  }
}

const rejectionError = ({ status, code, detail, remedy }) => {
  const sentence = detail ? detail[0].toUpperCase() + detail.slice(1) + '.' : `Signpost returned status ${status}.`;
  return new RequestError([sentence, remedy].filter(Boolean).join(' '), { status, code, source: 'signpost' });
};

/** Returns the URL of a key. This is not `new URL`, because `new URL` would read a key such as `//x` as a host. */
function objectUrl(key, query = {}) {
  const escape = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const pairs = Object.entries(query).map(([name, value]) => `${escape(name)}=${escape(value)}`);
  return api.href + key.split('/').map(escape).join('/') + (pairs.length ? `?${pairs.join('&')}` : '');
}

async function callSignpost(url, options) {
  let response;
  try {
    const headers = { accept: 'application/vnd.signpost+json, application/json' };
    response = await fetch(url, { headers, redirect: 'manual', cache: 'no-store', ...options });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new RequestError('Signpost cannot be reached. Check your network connection.');
  }
  if (response.type === 'opaqueredirect') throw new RequestError('Signpost returned an unexpected redirect.', { status: 307 });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw rejectionError({ ...body, status: response.status });
  return body;
}

const fetchInstruction = (method, key, query, signal) => callSignpost(objectUrl(key, query), { method, signal });

async function fetchInstructions(requests, signal) {
  const results = await callSignpost(`${api.href}-/sign`, { method: 'POST', body: JSON.stringify(requests), signal });
  return results.map((result) => {
    if (result.error) throw rejectionError(result.error);
    return { ...result, expiresAt: performance.now() + result.expires_in * 1000 };
  });
}

// Requests to S3

/** Sends the request that an instruction describes. */
function sendToS3({ method, url, headers }, { body = null, signal, progress } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) {
      if (name !== 'content-length') request.setRequestHeader(name, value); // the browser sets this header itself
    }
    request.upload.onprogress = (event) => progress?.(event.loaded);
    request.onload = () => {
      // S3 can return 200 with an error in the body when it completes an upload.
      const failed = request.responseText.includes('<Error>');
      if (request.status < 300 && !failed) return resolve(request);
      const status = request.status < 300 ? 500 : request.status;
      const [code, message] = ['Code', 'Message'].map((name) => xmlText(request.responseText, name));
      reject(new RequestError(message || `S3 returned status ${status}.`, { status, code, source: 's3' }));
    };
    request.onerror = () => reject(new RequestError('S3 cannot be reached, or its CORS rules do not allow this page.'));
    request.onabort = () => reject(new DOMException('', 'AbortError'));
    signal?.addEventListener('abort', () => request.abort(), { once: true });
    if (signal?.aborted) return request.onabort();
    request.send(body);
  });
}

/** Returns the content of the first element with this name, without decoding it. */
const xmlText = (xml, name) => new RegExp(`<${name}>([^<]*)<`).exec(xml)?.[1] ?? '';

/** Returns an ETag without its quotation marks. In XML they can be escaped. */
const unquote = (etag) => (etag ?? '').replace(/&quot;|&#34;|"/g, '');

const etagOf = (response) => unquote(response.getResponseHeader('etag'));

// If the browser queued requests itself, signed URLs could expire in its queue.
const requestSlots = { free: MAX_CONCURRENT_REQUESTS, waiting: [] };

async function withRequestSlot(signal, work) {
  if (requestSlots.free > 0) requestSlots.free--;
  else await new Promise((resolve) => requestSlots.waiting.push(resolve));
  try {
    signal.throwIfAborted();
    return await work();
  } finally {
    const next = requestSlots.waiting.shift();
    if (next) next();
    else requestSlots.free++;
  }
}

/** Resolves after a time, or as soon as the network is available again. */
function delay(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const finished = new AbortController();
    const finish = (settle) => () => (finished.abort(), clearTimeout(timeout), settle(signal.reason));
    const timeout = setTimeout(finish(resolve), milliseconds);
    addEventListener('online', finish(resolve), { signal: finished.signal });
    signal.addEventListener('abort', finish(reject), { signal: finished.signal });
  });
}

// Records of unfinished uploads, so that users can resume them after a reload

/** Without local storage, uploads work, but a reload loses them. */
function withStorage(action) {
  try {
    return action(localStorage);
  } catch {
    return null;
  }
}

const RECORD_PREFIX = `signpost ${api.pathname} `;
const uploadRecords = {
  nameOf: (key, { size, lastModified }) => RECORD_PREFIX + JSON.stringify([key, size, lastModified]),
  get: (name) => withStorage((storage) => JSON.parse(storage.getItem(name))),
  set: (name, value) => withStorage((storage) => storage.setItem(name, JSON.stringify(value))),
  remove: (name) => withStorage((storage) => storage.removeItem(name)),

  /** Returns the unfinished uploads below this prefix that no other tab is sending. */
  async unfinished() {
    const names = withStorage((storage) => Object.keys(storage).filter((name) => name.startsWith(RECORD_PREFIX))) ?? [];
    const locked = (await navigator.locks?.query())?.held.map(({ name }) => name) ?? [];
    return names
      .filter((name) => !locked.includes(name))
      .map((name) => JSON.parse(name.slice(RECORD_PREFIX.length)))
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, size, lastModified]) => ({ key, file: { size, lastModified } }));
  },
};

/** Runs `work` unless another tab holds the lock. Locks are not available without TLS. */
async function withUploadLock(name, work) {
  if (!navigator.locks) return work();
  return navigator.locks.request(name, { ifAvailable: true }, (lock) => {
    if (!lock) throw new RequestError('Another tab is already uploading this file.', { status: 409 });
    return work();
  });
}

// Transfers

const transfers = new Set();
const ACTIVE_STATES = ['queued', 'running', 'conflict'];
let bytesSent = 0;

class Transfer {
  /** `file` is a `File`, or the size and date of a file from an upload record. */
  constructor(key, file) {
    this.key = key;
    this.file = file;
    this.size = file.size;
    this.recordName = uploadRecords.nameOf(key, file);
    this.state = file instanceof Blob ? 'queued' : 'unfinished';
    this.overwrite = false;
    this.inParts = file.size >= MULTIPART_THRESHOLD;
    this.storedBytes = 0;
    this.partProgress = new Map();
    this.speed = new SpeedMeter();
    transfers.add(this);
    this.view = new TransferView(this);
  }

  get loaded() {
    return this.storedBytes + [...this.partProgress.values()].reduce((sum, loaded) => sum + loaded, 0);
  }

  setState(state, note = '') {
    this.state = state;
    this.note = note;
    this.view.draw();
    drawTransfers();
  }

  queue() {
    this.setState('queued');
    startQueued();
  }

  /** Starts after the previous, paused run has ended. */
  start() {
    this.setState('running');
    this.running = Promise.resolve(this.running).then(() => this.state === 'running' && this.run());
    return this.running;
  }

  async run() {
    const { signal } = (this.controller = new AbortController());
    try {
      await withUploadLock(this.recordName, () => (this.inParts ? this.uploadInParts() : this.uploadInOneRequest()));
      if (!signal.aborted) this.setState('done');
    } catch (error) {
      if (!signal.aborted) this.handleError(error);
    }
  }

  handleError(error) {
    if (error.sessionEnded) return endSession();
    if (error.status === 412) return this.resolveConflict();
    if (error instanceof HiddenEtagError && this.size <= MAX_PUT_SIZE) {
      this.inParts = false;
      this.abortUpload().catch(reportError);
      return this.queue();
    }
    if (['NoSuchUpload', 'InvalidPart', 'ConditionalRequestConflict'].includes(error.code) && !this.restarted) {
      // After InvalidPart, only the parts that another client has replaced are sent again. Otherwise, a new upload starts.
      if (error.code === 'NoSuchUpload') uploadRecords.remove(this.recordName);
      if (error.code === 'ConditionalRequestConflict') this.abortUpload().catch(reportError);
      this.restarted = true;
      return this.queue();
    }
    this.setState('failed', error.message);
    announce(`${this.key} failed: ${error.message}`);
  }

  pause(state = 'paused') {
    this.controller?.abort();
    this.partProgress.clear();
    this.setState(state);
  }

  async cancel() {
    transfers.delete(this);
    this.pause('cancelled');
    this.view.remove();
    announce(`${this.key} cancelled`);
    await this.abortUpload();
  }

  /** Aborts the multipart upload, so that S3 deletes its parts. */
  async abortUpload() {
    const record = uploadRecords.get(this.recordName);
    uploadRecords.remove(this.recordName);
    if (record) await sendToS3(await fetchInstruction('DELETE', this.key, { uploadId: record.uploadId }));
  }

  resumeUpload(file) {
    if (file.size !== this.size || file.lastModified !== this.file.lastModified) {
      return this.setState(this.state, 'This file has a different size or date. Choose the original file, or cancel.');
    }
    this.file = file;
    this.queue();
  }

  /** Sends one request to S3 and retries transient errors. If S3 returns 403, retries once with a new URL. */
  async sendWithRetries(sign, body, part = 0) {
    const { signal } = this.controller;
    const progress = (loaded) => {
      const before = this.partProgress.get(part) ?? 0;
      this.speed.bytes += Math.max(0, loaded - before);
      bytesSent += Math.max(0, loaded - before);
      if (!signal.aborted) this.partProgress.set(part, loaded);
    };
    try {
      for (let [tries, hasNewUrl] = [1, false]; ; tries = navigator.onLine ? tries + 1 : 1) {
        try {
          const response = await sendToS3(await sign(signal, tries > 1), { body, signal, progress });
          this.note = '';
          return response;
        } catch (error) {
          signal.throwIfAborted();
          if (error.source === 's3' && error.status === 403 && !hasNewUrl) {
            hasNewUrl = true;
            continue;
          }
          if (!error.transient || tries >= MAX_TRIES) throw error;
          await this.checkFile();
          this.partProgress.delete(part);
          this.setState('running', error.status ? 'S3 is busy. Trying again…' : 'Waiting for the network');
          await delay(Math.min(30_000, 500 * 2 ** tries) * (0.5 + Math.random() / 2), signal);
        }
      }
    } finally {
      this.partProgress.delete(part);
    }
  }

  /** Browsers report a changed or removed file as a network error, so this checks if the file is still readable. */
  async checkFile() {
    try {
      await this.file.slice(0, 1).arrayBuffer();
    } catch {
      throw new RequestError('The file was changed or removed after you chose it. Choose it again.', { status: 400 });
    }
  }

  get fileQuery() {
    const { size, type } = this.file;
    return type ? { contentLength: size, contentType: type } : { contentLength: size };
  }

  get conditionQuery() {
    return this.overwrite ? {} : { ifNoneMatch: '*' };
  }

  async uploadInOneRequest() {
    const query = { ...this.fileQuery, ...this.conditionQuery };
    const sign = (signal) => fetchInstruction('PUT', this.key, query, signal);
    await withRequestSlot(this.controller.signal, () => this.sendWithRetries(sign, this.file));
    this.storedBytes = this.size;
  }

  async uploadInParts() {
    const record = uploadRecords.get(this.recordName) ?? (await this.startMultipartUpload());
    record.etags ??= {};
    const etags = record.isNew ? new Map() : await this.listOwnParts(record);
    this.storedBytes = this.bytesOf(etags.keys(), record);
    await this.uploadParts(record, etags);
    await this.completeMultipartUpload(record, etags);
    uploadRecords.remove(this.recordName);
  }

  async startMultipartUpload() {
    // S3 checks the condition only when the upload is completed, so check it here before sending the parts.
    if (!this.overwrite && (await this.headObject())) throw new RequestError('exists', { status: 412 });
    const query = { uploads: '', ...this.fileQuery };
    const response = await this.sendWithRetries((signal) => fetchInstruction('POST', this.key, query, signal));
    const partSize = Math.max(PART_SIZE, Math.ceil(this.size / MAX_PARTS / MIB) * MIB);
    const record = { uploadId: xmlText(response.responseText, 'UploadId'), partSize, etags: {} };
    uploadRecords.set(this.recordName, record);
    return { ...record, isNew: true };
  }

  /** Returns the response to HEAD, or nothing if the object does not exist or the caller may not read it. */
  async headObject() {
    // A response to HEAD has no body for an instruction, so this uses the bulk endpoint.
    const sign = async (signal) => (await fetchInstructions([{ method: 'HEAD', key: this.key }], signal))[0];
    return this.sendWithRetries(sign).catch((error) => {
      // Without `read`, an anonymous caller gets 401. If a session has ended, the next request for an upload also gets 401.
      if (![401, 403, 404].includes(error.status)) throw error;
    });
  }

  partLength(number, partSize) {
    return Math.min(partSize, this.size - (number - 1) * partSize);
  }

  bytesOf(numbers, { partSize }) {
    return [...numbers].reduce((sum, number) => sum + this.partLength(number, partSize), 0);
  }

  /**
   * Returns the ETags of the parts that this page has uploaded and that S3 still stores, by part number. Other clients that may
   * write can replace parts of this upload. The ETag of a replaced part differs from the recorded one.
   */
  async listOwnParts({ uploadId, partSize, etags: recorded }) {
    const etags = new Map();
    for (let marker = '0'; marker; ) {
      const query = { uploadId, 'part-number-marker': marker };
      const { responseText: xml } = await this.sendWithRetries((signal) => fetchInstruction('GET', this.key, query, signal));
      for (const part of xml.split('<Part>').slice(1)) {
        const [number, size] = [Number(xmlText(part, 'PartNumber')), Number(xmlText(part, 'Size'))];
        const etag = unquote(xmlText(part, 'ETag'));
        if (etag && etag === recorded[number] && size === this.partLength(number, partSize)) etags.set(number, etag);
      }
      marker = xmlText(xml, 'IsTruncated') === 'true' ? xmlText(xml, 'NextPartNumberMarker') : '';
    }
    return etags;
  }

  async uploadParts(record, etags) {
    const { uploadId, partSize } = record;
    const count = Math.ceil(this.size / partSize);
    const pending = Array.from({ length: count }, (_, index) => index + 1).filter((number) => !etags.has(number));
    const urls = new PartUrls(this.key, uploadId, (number) => this.partLength(number, partSize));
    const { signal } = this.controller;
    const uploadNext = async () => {
      for (let number; (number = pending.shift()); ) {
        const start = (number - 1) * partSize;
        const body = this.file.slice(start, start + partSize);
        const sign = (signal, needsNewUrl) => urls.get(number, pending, signal, needsNewUrl);
        const response = await withRequestSlot(signal, () => this.sendWithRetries(sign, body, number));
        const etag = etagOf(response);
        if (!etag) throw new HiddenEtagError();
        etags.set(number, etag);
        this.recordPart(record, number, etag);
        this.storedBytes += body.size;
      }
    };
    // Parts in progress may finish. If the upload is resumed, they are not sent again.
    const stopOthers = (error) => ((pending.length = 0), Promise.reject(error));
    const workers = Array.from({ length: MAX_CONCURRENT_PARTS }, () => uploadNext().catch(stopOthers));
    const failed = (await Promise.allSettled(workers)).find(({ status }) => status === 'rejected');
    if (failed) throw failed.reason;
  }

  recordPart({ uploadId, partSize, etags }, number, etag) {
    etags[number] = etag;
    // A cancelled upload has no record, and must not get one again.
    if (uploadRecords.get(this.recordName)) uploadRecords.set(this.recordName, { uploadId, partSize, etags });
  }

  async completeMultipartUpload(record, etags) {
    const inOrder = [...etags].sort(([a], [b]) => a - b);
    const expected = await this.expectedEtag(record, inOrder);
    // If the ETag of the object cannot be predicted, check the parts as late as possible.
    if (!expected && (await this.listOwnParts(record)).size !== etags.size) {
      throw new RequestError('Another client has changed parts of this upload.', { status: 400, code: 'InvalidPart' });
    }
    const parts = inOrder.map(([number, etag]) => `<Part><PartNumber>${number}</PartNumber><ETag>&quot;${etag}&quot;</ETag></Part>`);
    const body = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`;
    const query = { uploadId: record.uploadId, 'mp-object-size': this.size, ...this.conditionQuery };
    const sign = (signal) => fetchInstruction('POST', this.key, query, signal);
    this.storedBytes = this.size;
    const stored = await this.sendWithRetries(sign, new Blob([body])).then(
      ({ responseText }) => unquote(xmlText(responseText, 'ETag')),
      async (error) => {
        // The upload may already be complete if only the response was lost. Another client may also have completed it.
        const object = expected && error.code === 'NoSuchUpload' && (await this.headObject());
        if (!object || etagOf(object) !== expected) throw error;
        return expected;
      },
    );
    // S3 also returns 200 if another client has completed the upload, possibly with other parts.
    if (expected && isMultipartEtag(stored) && stored !== expected) {
      uploadRecords.remove(this.recordName);
      throw new RequestError('Another client has completed this upload with other content. Upload the file again.', { status: 400 });
    }
  }

  /**
   * Returns the ETag that S3 gives an object of these parts: the MD5 digest of the MD5 digests of the parts. With some kinds of
   * encryption, the ETag of a part is not its MD5 digest. Then this returns nothing.
   */
  async expectedEtag({ partSize }, parts) {
    const [number, etag] = parts.at(-1); // the smallest part
    const start = (number - 1) * partSize;
    const content = await this.file.slice(start, start + partSize).arrayBuffer();
    if (md5(new Uint8Array(content)) !== etag || !parts.every(([, etag]) => /^[0-9a-f]{32}$/.test(etag))) return '';
    const digests = parts.flatMap(([, etag]) => etag.match(/../g).map((byte) => parseInt(byte, 16)));
    return `${md5(Uint8Array.from(digests))}-${parts.length}`;
  }

  async resolveConflict() {
    this.setState('conflict');
    const choice = await chooseOnConflict(this);
    if (this.state !== 'conflict') return;
    if (choice === 'overwrite') this.overwrite = true;
    else if (choice === 'rename') await this.rename();
    else {
      this.setState('skipped');
      return this.abortUpload().catch(reportError);
    }
    this.queue();
  }

  /** Changes `a.txt` to `a (2).txt`. If that key exists too, the user is prompted again, with the next number. */
  async rename() {
    await this.abortUpload().catch(reportError);
    const [, stem, count, extension] = /^(.*?)(?: \((\d+)\))?(\.[^./]*)?$/s.exec(this.key);
    this.key = `${stem} (${Number(count ?? 1) + 1})${extension ?? ''}`;
    this.recordName = uploadRecords.nameOf(this.key, this.file);
    this.storedBytes = 0;
    this.view.rename();
  }
}

const isMultipartEtag = (etag) => /^[0-9a-f]{32}-\d+$/.test(etag);

const MD5_SHIFTS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];
const MD5_FACTORS = [1, 5, 3, 7];
const MD5_OFFSETS = [0, 1, 5, 0];
const MD5_CONSTANTS = Int32Array.from({ length: 64 }, (_, step) => Math.floor(Math.abs(Math.sin(step + 1)) * 2 ** 32) | 0);

/** Returns the MD5 digest of these bytes in hexadecimal (RFC 1321). The Web Crypto API does not have MD5. */
function md5(bytes) {
  const padded = new DataView(new ArrayBuffer(Math.ceil((bytes.length + 9) / 64) * 64));
  new Uint8Array(padded.buffer).set(bytes);
  padded.setUint8(bytes.length, 0x80);
  padded.setBigUint64(padded.byteLength - 8, BigInt(bytes.length) * 8n, true);
  const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  const words = new Int32Array(16);
  for (let offset = 0; offset < padded.byteLength; offset += 64) {
    for (let index = 0; index < 16; index++) words[index] = padded.getInt32(offset + 4 * index, true);
    addMd5Block(state, words);
  }
  const digest = new DataView(new ArrayBuffer(16));
  state.forEach((word, index) => digest.setInt32(4 * index, word, true));
  return [...new Uint8Array(digest.buffer)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function addMd5Block(state, words) {
  let a = state[0];
  let b = state[1];
  let c = state[2];
  let d = state[3];
  for (let step = 0; step < 64; step++) {
    const round = step >> 4;
    let mixed = c ^ (b | ~d);
    if (round === 0) mixed = (b & c) | (~b & d);
    else if (round === 1) mixed = (d & b) | (~d & c);
    else if (round === 2) mixed = b ^ c ^ d;
    const index = (MD5_FACTORS[round] * step + MD5_OFFSETS[round]) & 15;
    const sum = (a + mixed + MD5_CONSTANTS[step] + words[index]) | 0;
    const shift = MD5_SHIFTS[round * 4 + (step & 3)];
    a = d;
    d = c;
    c = b;
    b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
}

/** The signed URLs of the parts. They are requested in bulk shortly before they are used. */
class PartUrls {
  constructor(key, uploadId, lengthOf) {
    Object.assign(this, { key, uploadId, lengthOf, promises: new Map() });
  }

  async get(number, following, signal, needsNewUrl) {
    const pending = !needsNewUrl && this.promises.get(number);
    const known = pending && (await pending.catch(() => null));
    if (known && known.expiresAt - performance.now() > 10_000) return known;
    const numbers = [number, ...following.slice(0, URLS_PER_REQUEST - 1)];
    const requests = numbers.map((number) => {
      const query = { partNumber: number, uploadId: this.uploadId, contentLength: this.lengthOf(number) };
      return { method: 'PUT', key: this.key, query };
    });
    const instructions = fetchInstructions(requests, signal);
    numbers.forEach((number, index) => this.promises.set(number, instructions.then((list) => list[index])));
    for (const promise of this.promises.values()) promise.catch(() => {});
    return this.promises.get(number);
  }
}

/** Measures the average speed of the last five seconds. */
class SpeedMeter {
  bytes = 0;
  samples = [];

  sample(now = performance.now()) {
    this.samples.push([now, this.bytes]);
    while (this.samples.length > 2 && now - this.samples[0][0] > 5000) this.samples.shift();
  }

  get bytesPerSecond() {
    const [[start, bytesBefore], [end, bytesAfter]] = [this.samples[0] ?? [0, 0], this.samples.at(-1) ?? [0, 0]];
    return end > start ? ((bytesAfter - bytesBefore) * 1000) / (end - start) : 0;
  }
}

function startQueued() {
  const running = [...transfers].filter(({ state }) => state === 'running').length;
  const queued = [...transfers].filter(({ state }) => state === 'queued');
  for (const transfer of queued.slice(0, MAX_CONCURRENT_FILES - running)) transfer.start().then(startQueued).catch(reportError);
  drawTransfers();
  if (!isBusy()) finishBatch();
}

const isBusy = () => [...transfers].some(({ state }) => ACTIVE_STATES.includes(state));

let wasBusy = false;
let choiceForAll = null;

function finishBatch() {
  choiceForAll = null;
  if (!wasBusy) return;
  wasBusy = false;
  const done = [...transfers].filter((transfer) => transfer.state === 'done' && !transfer.announced);
  if (done.length === 0) return;
  for (const transfer of done) transfer.announced = true;
  announce(done.length === 1 ? `${done[0].key} uploaded` : `${done.length} files uploaded`);
  refreshListing().catch(reportError);
}

function endSession() {
  for (const transfer of transfers) {
    if (['queued', 'running'].includes(transfer.state)) transfer.pause('signed-out');
  }
  signInAgain(() => {
    for (const transfer of transfers) if (transfer.state === 'signed-out') transfer.queue();
  });
}

let lastPrompt = Promise.resolve();

/** Prompts the user if an object already exists. Only one prompt is open at a time. */
function chooseOnConflict(transfer) {
  const choice = lastPrompt.then(async () => {
    if (choiceForAll) return choiceForAll;
    const dialog = find('#confirm-overwrite');
    // If the rule does not allow overwriting, the instruction contains the condition.
    const { headers } = await fetchInstruction('PUT', transfer.key, { ...transfer.fileQuery, contentLength: 1 });
    find('[value="overwrite"]', dialog).hidden = 'if-none-match' in headers;
    find('[name="all"]', dialog).checked = false;
    const value = (await openDialog(dialog, { key: transfer.key })) || 'skip';
    if (find('[name="all"]', dialog).checked) choiceForAll = value;
    return value;
  });
  lastPrompt = choice.catch(() => {});
  return choice.catch((error) => (transfer.handleError(error), null));
}

const STATE_TEXTS = {
  queued: 'Waiting',
  paused: 'Paused',
  conflict: 'Already exists',
  'signed-out': 'Waiting until you sign in',
  unfinished: 'Not finished. Choose the same file again to resume the upload. Parts that are already uploaded are not sent again.',
  skipped: 'Skipped because it already exists',
};

class TransferView {
  constructor(transfer) {
    this.transfer = transfer;
    this.element = find('#transfer').content.cloneNode(true).firstElementChild;
    this.progress = find('progress', this.element);
    this.state = find('[data-slot="state"]', this.element);
    this.buttons = findAll('button', this.element);
    for (const button of this.buttons) button.label = button.textContent;
    this.element.addEventListener('click', (event) => this.act(event.target.closest('button')?.dataset.action));
    this.rename();
    this.draw();
    find('#transfer-list').append(this.element);
  }

  rename() {
    const name = escapeInvisible(this.transfer.key.slice(prefix.length));
    find('[data-slot="name"]', this.element).textContent = name;
    this.progress.setAttribute('aria-label', name);
    for (const button of this.buttons) button.setAttribute('aria-label', `${button.label} ${name}`);
  }

  act(action) {
    const { transfer } = this;
    if (action === 'pause') transfer.pause();
    else if (action === 'cancel') transfer.cancel().catch(reportError);
    else if (action && transfer.state === 'unfinished') chooseFiles({}, ([file]) => transfer.resumeUpload(file));
    else if (action) transfer.queue();
    startQueued();
  }

  remove() {
    const hadFocus = this.element.contains(document.activeElement);
    this.element.remove();
    drawTransfers();
    if (hadFocus) (find('#transfer-list button:not([hidden])') ?? find('[data-action="upload-files"]'))?.focus();
  }

  draw() {
    const { state, note, loaded, size, speed } = this.transfer;
    this.element.dataset.state = state;
    this.progress.value = state === 'done' ? 1 : size ? loaded / size : 0;
    this.progress.hidden = ['skipped', 'unfinished'].includes(state);
    const texts = { ...STATE_TEXTS, done: `Uploaded, ${formatBytes(size)}`, running: progressText(loaded, size, speed.bytesPerSecond) };
    this.state.textContent = note || texts[state];
    const shown = {
      pause: ['queued', 'running'],
      resume: ['paused', 'unfinished'],
      retry: ['failed', 'signed-out'],
      cancel: ['queued', 'running', 'paused', 'failed', 'signed-out', 'unfinished'],
    };
    for (const button of this.buttons) this.show(button, shown[button.dataset.action].includes(state));
  }

  /** Shows or hides a button. If a hidden button had the focus, the next visible button gets it. */
  show(button, shown) {
    if (button.hidden !== shown) return;
    const hadFocus = document.activeElement === button;
    button.hidden = !shown;
    if (hadFocus) queueMicrotask(() => this.buttons.find(({ hidden }) => !hidden)?.focus());
  }
}

function progressText(loaded, size, bytesPerSecond) {
  const texts = [`${formatBytes(loaded)} of ${formatBytes(size)}`];
  if (bytesPerSecond > 0) texts.push(`${formatBytes(bytesPerSecond)}/s`, `${formatDuration((size - loaded) / bytesPerSecond)} left`);
  return texts.join(' · ');
}

const totalSpeed = new SpeedMeter();
let timer = 0;

function drawTransfers() {
  const section = find('#transfers');
  if (!section) return;
  section.hidden = transfers.size === 0;
  drawTotal();
  wasBusy ||= isBusy();
  if (isBusy() && !timer) timer = setInterval(updateProgress, 250);
  if (!isBusy()) timer = clearInterval(timer);
}

function updateProgress() {
  totalSpeed.bytes = bytesSent;
  totalSpeed.sample();
  for (const { speed, state, view } of transfers) {
    if (state !== 'running') continue;
    speed.sample();
    view.draw();
  }
  drawTransfers();
}

const clearButton = createButton('Clear finished', clearFinished);
const totalText = createElement('span');
const totalProgress = createElement('progress', { max: 1, ariaLabel: 'All uploads' });

function drawTotal() {
  const all = [...transfers].filter(({ state }) => !['skipped', 'unfinished'].includes(state));
  const sum = (values) => values.reduce((sum, value) => sum + value, 0);
  const size = sum(all.map(({ size }) => size));
  const loaded = sum(all.map((transfer) => (transfer.state === 'done' ? transfer.size : transfer.loaded)));
  const done = all.filter(({ state }) => state === 'done').length;
  totalProgress.value = size ? loaded / size : Number(done === all.length);
  totalProgress.hidden = totalText.hidden = all.length === 0;
  totalText.textContent = `${done} of ${all.length} · ${progressText(loaded, size, isBusy() ? totalSpeed.bytesPerSecond : 0)}`;
  clearButton.hidden = !finished().length;
  const box = find('#transfers-total');
  if (!box.contains(clearButton)) box.append(totalProgress, totalText, clearButton);
}

const finished = () => [...transfers].filter(({ state }) => ['done', 'skipped'].includes(state));

function clearFinished() {
  for (const transfer of finished()) {
    transfers.delete(transfer);
    transfer.view.remove();
  }
  drawTransfers();
  find('[data-action="upload-files"]')?.focus();
}

/** Uploads files. Each item is a path below this prefix and a `File`. */
function upload(files) {
  if (files.length === 0) return;
  announce(files.length === 1 ? `Uploading ${files[0][0]}` : `Uploading ${files.length} files`);
  for (const [path, file] of files) {
    const key = prefix + path;
    const name = uploadRecords.nameOf(key, file);
    const existing = [...transfers].find((transfer) => transfer.recordName === name && !['done', 'skipped'].includes(transfer.state));
    if (existing?.state === 'unfinished') existing.resumeUpload(file);
    else if (!existing) new Transfer(key, file);
  }
  startQueued();
}

const uploadFiles = (files) => upload(files.map((file) => [file.webkitRelativePath || file.name, file]));

function chooseFiles(properties, onChosen) {
  const input = createElement('input', { type: 'file', ...properties });
  input.onchange = () => onChosen([...input.files]);
  input.click();
}

/** Returns all files of a dropped file or folder, with their paths. */
async function listFiles(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [[entry.fullPath.replace(/^\//, ''), file]];
  }
  const reader = entry.createReader();
  const found = [];
  for (let batch; (batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))).length; ) {
    found.push(...batch); // `readEntries` returns a folder in several batches
  }
  return (await Promise.all(found.map(listFiles))).flat();
}

function listenForFiles() {
  const folderName = prefix ? prefix.split('/').at(-2) + '/' : 'this bucket';
  const zone = createElement('div', { className: 'drop', hidden: true }, createElement('p', {}, `Drop files or folders to upload them to ${folderName}`));
  document.body.append(zone);
  const hasFiles = (event) => event.dataTransfer?.types.includes('Files');
  const show = (shown) => (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    zone.hidden = !shown;
  };
  addEventListener('dragover', show(true));
  addEventListener('dragleave', (event) => event.relatedTarget ?? show(false)(event));
  addEventListener('drop', (event) => {
    if (!hasFiles(event)) return;
    show(false)(event);
    // The browser clears both lists after the event.
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const files = [...event.dataTransfer.files];
    if (entries.length === 0) return uploadFiles(files);
    Promise.all(entries.map(listFiles)).then((found) => upload(found.flat())).catch(reportError);
  });
  addEventListener('paste', (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0 || event.target.closest('input, textarea')) return;
    event.preventDefault();
    upload(files.map((file) => [pastedName(file), file]));
  });
}

/** Browsers name every copied picture `image.png`, so this adds the time to the name. */
function pastedName({ name }) {
  if (!/^image\.\w+$/.test(name)) return name;
  const time = new Date().toISOString().slice(0, 19).replaceAll(':', '.').replace('T', ' ');
  return name.replace('image', `pasted ${time}`);
}

/** Opens a dialog and resolves with the value of the button that closes it. */
function openDialog(dialog, texts = {}) {
  for (const [slot, text] of Object.entries(texts)) find(`[data-slot="${slot}"]`, dialog).textContent = escapeInvisible(text);
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener('close', () => resolve(dialog.returnValue), { once: true }));
}

const notice = createElement('div', { className: 'notice', hidden: true });

function showNotice(text, ...more) {
  announce(text);
  notice.replaceChildren(createElement('p', {}, escapeInvisible(text)), ...more, createButton('Close', hideNotice));
  notice.hidden = false;
}

const hideNotice = () => (notice.hidden = true);

function reportError(error) {
  if (error.name === 'AbortError') return;
  if (error.sessionEnded) signInAgain();
  else showNotice(error.message);
}

function signInAgain(retry) {
  const { login } = document.body.dataset;
  const link = login && createElement('a', { href: login, target: '_blank', rel: 'noopener', className: 'button' }, 'Sign in');
  const retryButton = retry && createButton('Retry', () => (hideNotice(), retry()));
  const text = retry ? 'Your session has ended. Sign in again in another tab, then choose Retry here. Your uploads are not lost.' : 'Sign in to do this.';
  showNotice(text, ...[link, retryButton].filter(Boolean));
}

/** Copies a text. If the browser does not allow it, shows the text for manual copying. */
async function copyText(text, message) {
  try {
    await navigator.clipboard.writeText(text);
    showNotice(message);
  } catch {
    const field = createElement('input', { readOnly: true, value: text, ariaLabel: 'Text to copy' });
    showNotice('Copy this text:', field);
    field.select();
  }
}

// Actions on objects

const actions = {
  'upload-files': () => chooseFiles({ multiple: true }, uploadFiles),
  'upload-folder': () => chooseFiles({ webkitdirectory: true }, uploadFiles),
  'copy-link': ({ key }) => copyText(objectUrl(key), 'Link copied.'),
  'copy-curl': ({ key }) => copyText(`curl -fL -O '${objectUrl(key)}'`, 'Command copied.'),

  async 'copy-temporary-link'({ key }) {
    const { url, expires_at } = await fetchInstruction('GET', key);
    await copyText(url, `Temporary link copied. It works until ${dateFormat.format(new Date(expires_at))}.`);
  },

  async share({ key }) {
    const dialog = find('#share-dialog');
    find('[data-slot="result"]', dialog).replaceChildren();
    const closed = openDialog(dialog, { key });
    find('[value="share"]', dialog).onclick = (event) => {
      event.preventDefault(); // the dialog stays open and shows the link
      createShareLink(key, dialog).catch((error) => (dialog.close(), reportError(error)));
    };
    await closed;
  },

  async delete({ key, row }) {
    if ((await openDialog(find('#confirm-delete'), { key })) !== 'delete') return;
    await sendToS3(await fetchInstruction('DELETE', key));
    announce(`${key} deleted`);
    if (!row) return location.assign('./');
    const index = findAll('#entries tr').indexOf(row);
    await refreshListing();
    const next = findAll('#entries tr')[index] ?? findAll('#entries tr').at(-1);
    (next ? find('a', next) : find('h1'))?.focus();
  },

  async preview({ key }) {
    const dialog = find('#preview-dialog');
    const container = find('[data-slot="preview"]', dialog);
    container.replaceChildren('Loading…');
    const closed = openDialog(dialog, { name: key.split('/').at(-1) });
    closed.then(() => container.replaceChildren()); // stops audio and video
    container.replaceChildren(...(await createPreview(key)));
  },
};

async function createShareLink(key, dialog) {
  const expires = find('[name="expires"]', dialog).value;
  const { url, expires_at } = await callSignpost(`${api.href}-/share`, { method: 'POST', body: JSON.stringify({ key, expires }) });
  const field = createElement('input', { readOnly: true, value: url, ariaLabel: 'Link' });
  const button = createButton('Copy', () => {
    field.select();
    navigator.clipboard?.writeText(url).then(() => (button.textContent = 'Copied'));
  });
  const until = createElement('span', {}, `Works until ${dateFormat.format(new Date(expires_at))}.`);
  find('[data-slot="result"]', dialog).replaceChildren(field, button, until);
  field.select();
}

const PREVIEW_EXTENSIONS = {
  img: 'avif bmp gif ico jpeg jpg png svg webp',
  audio: 'aac flac m4a mp3 oga ogg opus wav',
  video: 'm4v mov mp4 ogv webm',
  pdf: 'pdf',
  text: 'c conf cpp css csv diff go h htm html ini java js json log md php py rb rs sh sql srt tex toml ts tsv txt xml yaml yml',
};

async function createPreview(key) {
  const extension = /\.([^./]+)$/.exec(key)?.[1].toLowerCase() ?? '';
  const kind = Object.keys(PREVIEW_EXTENSIONS).find((kind) => PREVIEW_EXTENSIONS[kind].split(' ').includes(extension));
  const download = createElement('a', { href: objectUrl(key, { download: '' }), className: 'button' }, 'Download');
  const noPreview = (text) => [createElement('p', {}, text), download];
  // The document opens on the page of the object, because only that page sets the media type of S3's response.
  if (kind === 'pdf') return [createElement('a', { href: objectUrl(key, { view: '' }), className: 'button' }, 'Open the document'), download];
  if (kind === 'text') return createTextPreview(key);
  if (!kind) return noPreview('A preview is not available for this type of file.');
  const { url } = await fetchInstruction('GET', key);
  const element = createElement(kind, { src: url, ...(kind === 'img' ? { alt: key.split('/').at(-1) } : { controls: true }) });
  const giveUp = () => element.replaceWith(...noPreview('Your browser cannot show this file.'));
  if (kind === 'img') element.onerror = giveUp;
  else recoverPlayback(element, key, giveUp);
  return [element];
}

/** After an error, requests a new URL, because the old one may have expired, and continues at the same position. */
function recoverPlayback(media, key, giveUp) {
  let failedPosition = null;
  let failedAt = 0;
  const recover = async () => {
    const { currentTime, paused } = media;
    // A second error soon afterwards, and at the same position, has another cause than an expired URL.
    if (currentTime === failedPosition && performance.now() - failedAt < 10_000) return giveUp();
    [failedPosition, failedAt] = [currentTime, performance.now()];
    try {
      media.src = (await fetchInstruction('GET', key)).url;
      media.currentTime = currentTime;
      if (!paused) await media.play();
    } catch (error) {
      if (error instanceof RequestError) giveUp(); // no new URL; `play` reports its errors as events
    }
  };
  media.addEventListener('error', recover);
  if (media.error) recover();
}

async function createTextPreview(key) {
  const { url } = await fetchInstruction('GET', key);
  const response = await fetch(url, { headers: { range: `bytes=0-${TEXT_PREVIEW_BYTES - 1}` }, cache: 'no-store' });
  if (response.status === 416) return [createElement('p', {}, 'The file is empty.')];
  if (!response.ok) throw new RequestError(`S3 returned status ${response.status}.`, { status: response.status });
  const content = await response.arrayBuffer();
  const block = createElement('pre', { tabIndex: 0 }, new TextDecoder().decode(content));
  const isTruncated = content.byteLength === TEXT_PREVIEW_BYTES;
  return isTruncated ? [block, createElement('p', {}, `Only the first ${formatBytes(TEXT_PREVIEW_BYTES)} are shown.`)] : [block];
}

// The page

/** Replaces the rows with the current listing from the server. */
async function refreshListing() {
  if (document.body.dataset.page !== 'listing' || !find('form.filter', main)) return;
  const request = new XMLHttpRequest();
  request.open('GET', location.href);
  request.setRequestHeader('accept', 'text/html');
  request.setRequestHeader('x-requested-with', 'signpost-page'); // requests this page instead of a list of links
  request.responseType = 'document';
  await new Promise((resolve) => {
    request.onloadend = resolve;
    request.send();
  });
  if (request.status !== 200 || !request.response) return;
  const replaced = 'table.listing, .empty, nav.pages';
  const newElements = findAll(replaced, find('#main', request.response)).map((element) => document.importNode(element, true));
  for (const old of findAll(replaced, main)) old.remove();
  find('form.filter', main).after(...newElements);
  addRowMenus();
}

const menu = createElement('div', { id: 'menu', className: 'menu', popover: 'auto' });
let menuRow = null;

function keyOfRow(row) {
  const href = find('th a', row).getAttribute('href');
  return prefix + decodeURIComponent(href.replace(/^\.\//, ''));
}

function addRowMenus() {
  localiseTimes(main);
  if (!find('#row-actions')?.content.firstElementChild) return;
  for (const row of findAll('#entries tr:not(.folder)')) {
    const link = find('th a', row);
    if (!link) continue;
    const button = createButton('⋯');
    button.className = 'more';
    button.setAttribute('aria-label', `Actions for ${link.textContent}`);
    button.popoverTargetElement = menu;
    row.lastElementChild.append(button);
  }
}

function openMenuAt(button) {
  menuRow = button.closest('tr');
  const { top, bottom, right } = button.getBoundingClientRect();
  const below = top < innerHeight / 2;
  menu.style.right = `${Math.max(8, document.documentElement.clientWidth - right)}px`;
  menu.style.top = below ? `${scrollY + bottom + 4}px` : 'auto';
  menu.style.bottom = below ? 'auto' : `${innerHeight - scrollY - top + 4}px`;
}

function listenForActions() {
  document.addEventListener('click', (event) => {
    const element = event.target.closest('[data-action], .more');
    if (element?.matches('.more')) return openMenuAt(element);
    const action = actions[element?.dataset.action];
    if (!action) return;
    event.preventDefault();
    const inMenu = menu.contains(element);
    const subject = inMenu ? { key: keyOfRow(menuRow), row: menuRow } : { key: main.dataset.key };
    if (inMenu) menu.hidePopover(); // returns the focus before a dialog opens
    Promise.resolve(action(subject)).catch(reportError);
  });
  addEventListener('beforeunload', (event) => isBusy() && event.preventDefault());
}

for (const media of findAll('audio, video', main)) recoverPlayback(media, main.dataset.key, () => {});
main.append(notice, menu);
menu.append(find('#row-actions')?.content.cloneNode(true) ?? '');
for (const button of findAll('button[data-action][hidden]', main)) button.hidden = false;
addRowMenus();
listenForActions();
if (document.body.dataset.page === 'listing' && can.has('write')) {
  find('[data-action="form"]')?.setAttribute('hidden', '');
  listenForFiles();
  for (const { key, file } of await uploadRecords.unfinished()) new Transfer(key, file);
  drawTransfers();
}
