// What the page can do beyond its HTML. Signpost tells by JSON what to send where (an instruction), and the bytes go to S3
// by XMLHttpRequest, for its progress events. No redirect is followed; names are set as text, never as markup.

const MIB = 1024 * 1024;
const PARTS_FROM = 64 * MIB;
const PART_SIZE = 8 * MIB;
const MAX_PARTS = 10_000;
const FILES_AT_ONCE = 3;
const PARTS_AT_ONCE = 5;
const REQUESTS_AT_ONCE = 6; // what browsers open to one host
const SIGNED_AT_ONCE = 20;
const TRIES = 8;
const TEXT_PREVIEW = 256 * 1024;

const find = (selector, within = document) => within.querySelector(selector);
const findAll = (selector, within = document) => [...within.querySelectorAll(selector)];
const main = find('#main');
const api = new URL(document.body.dataset.api ?? './', location.href);
const prefix = main.dataset.prefix ?? '';
const can = new Set((main.dataset.can ?? '').split(' '));

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const makeButton = (words, onclick) => make('button', { type: 'button', onclick }, words);

/** Speaks to those who don't see. */
function announce(text) {
  find('#live').textContent = visible(text);
}

/** Shows the characters that would turn or hide the text around them. */
function visible(name) {
  return name.replace(/[\p{Cc}\p{Bidi_Control}]/gu, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const number = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });

function bytes(count) {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  for (; count >= 999.5 && unit < 4; unit++) count /= 1000;
  return `${number.format(count)} ${units[unit]}`;
}

function duration(seconds) {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

function localiseTimes(within) {
  for (const time of findAll('time:not([datetime])', within)) {
    const date = new Date(time.textContent.trim().replace(' ', 'T'));
    if (isNaN(date)) continue;
    time.dateTime = date.toISOString();
    time.title = date;
    time.textContent = moment.format(date);
  }
}

// Signpost, which tells what to send

/** Why something did not work; without a `status` the network is to blame. */
class Trouble extends Error {
  constructor(message, { status = 0, code = '', from = '' } = {}) {
    super(message);
    Object.assign(this, { status, code, from });
    this.transient = [0, 409, 429].includes(status) || status >= 500 || code === 'RequestTimeout';
  }

  get sessionEnded() {
    return this.from === 'signpost' && this.status === 401;
  }
}

const refusal = ({ status, code, detail, remedy }) => {
  const sentence = detail ? detail[0].toUpperCase() + detail.slice(1) + '.' : `Signpost answered ${status}.`;
  return new Trouble([sentence, remedy].filter(Boolean).join(' '), { status, code, from: 'signpost' });
};

/** The URL of a key. `new URL` would take the key `//x` for a host. */
function urlOf(key, query = {}) {
  const escape = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const pairs = Object.entries(query).map(([name, value]) => `${escape(name)}=${escape(value)}`);
  return api.href + key.split('/').map(escape).join('/') + (pairs.length ? `?${pairs.join('&')}` : '');
}

async function ask(url, options) {
  let response;
  try {
    const headers = { accept: 'application/json' };
    response = await fetch(url, { headers, redirect: 'manual', cache: 'no-store', ...options });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Trouble('Signpost cannot be reached.');
  }
  if (response.type === 'opaqueredirect') throw new Trouble('Signpost led elsewhere.', { status: 307 });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw refusal({ ...answer, status: response.status });
  return answer;
}

const instruction = (method, key, query, signal) => ask(urlOf(key, query), { method, signal });

async function instructions(requests, signal) {
  const answers = await ask(`${api.href}-/sign`, { method: 'POST', body: JSON.stringify(requests), signal });
  return answers.map((answer) => {
    if (answer.error) throw refusal(answer.error);
    return { ...answer, until: performance.now() + answer.expires_in * 1000 };
  });
}

// S3, where the bytes go

/** Carries out an instruction. */
function send({ method, url, headers }, { body = null, signal, progress } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) {
      if (name !== 'content-length') request.setRequestHeader(name, value); // the browser's own
    }
    request.upload.onprogress = (event) => progress?.(event.loaded);
    request.onload = () => {
      // S3 may complete an upload with 200 and an error.
      const failed = request.responseText.includes('<Error>');
      if (request.status < 300 && !failed) return resolve(request);
      const status = request.status < 300 ? 500 : request.status;
      const [code, message] = ['Code', 'Message'].map((name) => textOf(request.responseText, name));
      reject(new Trouble(message || `S3 answered ${status}.`, { status, code, from: 's3' }));
    };
    request.onerror = () => reject(new Trouble('S3 cannot be reached, or its CORS rules do not admit this page.'));
    request.onabort = () => reject(new DOMException('', 'AbortError'));
    signal?.addEventListener('abort', () => request.abort(), { once: true });
    if (signal?.aborted) return request.onabort();
    request.send(body);
  });
}

/** What stands in the first element of this name, as it is written. */
const textOf = (xml, name) => new RegExp(`<${name}>([^<]*)<`).exec(xml)?.[1] ?? '';

// So that no signed URL grows old in the browser's own queue.
const slots = { free: REQUESTS_AT_ONCE, waiting: [] };

async function inSlot(signal, work) {
  if (slots.free > 0) slots.free--;
  else await new Promise((go) => slots.waiting.push(go));
  try {
    signal.throwIfAborted();
    return await work();
  } finally {
    const next = slots.waiting.shift();
    if (next) next();
    else slots.free++;
  }
}

/** Resolves after a while, or as soon as the network is back. */
function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const over = new AbortController();
    const end = (settle) => () => (over.abort(), clearTimeout(timer), settle(signal.reason));
    const timer = setTimeout(end(resolve), milliseconds);
    addEventListener('online', end(resolve), { signal: over.signal });
    signal.addEventListener('abort', end(reject), { signal: over.signal });
  });
}

// Unfinished uploads, remembered over a reload

/** Without the store a reload loses an upload, and no more. */
function stored(use) {
  try {
    return use(localStorage);
  } catch {
    return null;
  }
}

const MEMORY = `signpost ${api.pathname} `;
const memory = {
  name: (key, { size, lastModified }) => MEMORY + JSON.stringify([key, size, lastModified]),
  get: (name) => stored((storage) => JSON.parse(storage.getItem(name))),
  set: (name, value) => stored((storage) => storage.setItem(name, JSON.stringify(value))),
  forget: (name) => stored((storage) => storage.removeItem(name)),

  /** What was begun below this prefix, and no tab is working on. */
  async unfinished() {
    const names = stored((storage) => Object.keys(storage).filter((name) => name.startsWith(MEMORY))) ?? [];
    const held = (await navigator.locks?.query())?.held.map(({ name }) => name) ?? [];
    return names
      .filter((name) => !held.includes(name))
      .map((name) => JSON.parse(name.slice(MEMORY.length)))
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, size, lastModified]) => ({ key, file: { size, lastModified } }));
  },
};

/** Does `work` unless another tab is at it. Pages without TLS have no locks. */
async function alone(name, work) {
  if (!navigator.locks) return work();
  return navigator.locks.request(name, { ifAvailable: true }, (lock) => {
    if (!lock) throw new Trouble('Another tab is uploading this file.', { status: 409 });
    return work();
  });
}

// Transfers

const transfers = new Set();
const BUSY = ['queued', 'running', 'asking'];
let moved = 0;

class Transfer {
  /** `file` is a `File`, or what is remembered of one. */
  constructor(key, file) {
    this.key = key;
    this.file = file;
    this.size = file.size;
    this.memory = memory.name(key, file);
    this.state = file instanceof Blob ? 'queued' : 'unfinished';
    this.replace = false;
    this.stored = 0;
    this.underway = new Map();
    this.speed = new Speed();
    transfers.add(this);
    this.view = new TransferView(this);
  }

  get loaded() {
    return this.stored + [...this.underway.values()].reduce((sum, loaded) => sum + loaded, 0);
  }

  become(state, note = '') {
    this.state = state;
    this.note = note;
    this.view.draw();
    draw();
  }

  queue() {
    this.become('queued');
    pump();
  }

  /** Begins when an earlier run, now paused, has ended. */
  start() {
    this.become('running');
    this.run = Promise.resolve(this.run).then(() => this.state === 'running' && this.attempt());
    return this.run;
  }

  async attempt() {
    const { signal } = (this.controller = new AbortController());
    try {
      await alone(this.memory, () => (this.size < PARTS_FROM ? this.sendWhole() : this.sendInParts()));
      if (!signal.aborted) this.become('done');
    } catch (error) {
      if (!signal.aborted) this.stop(error);
    }
  }

  stop(error) {
    if (error.sessionEnded) return endSession();
    if (error.status === 412) return this.settle();
    if (error.code === 'NoSuchUpload' && !this.restarted) {
      memory.forget(this.memory);
      this.restarted = true; // S3 has dropped the parts
      return this.queue();
    }
    this.become('failed', error.message);
    announce(`${this.key} failed: ${error.message}`);
  }

  pause(state = 'paused') {
    this.controller?.abort();
    this.underway.clear();
    this.become(state);
  }

  async cancel() {
    transfers.delete(this);
    this.pause('cancelled');
    this.view.remove();
    announce(`${this.key} cancelled`);
    await this.abandon();
  }

  /** Lets S3 drop the parts. */
  async abandon() {
    const begun = memory.get(this.memory);
    memory.forget(this.memory);
    if (begun) await send(await instruction('DELETE', this.key, { uploadId: begun.uploadId }));
  }

  resumeWith(file) {
    if (file.size !== this.size || file.lastModified !== this.file.lastModified) {
      return this.become(this.state, 'That file has another size or date. Choose the one that was begun, or cancel.');
    }
    this.file = file;
    this.queue();
  }

  /** Carries out one request with patience, and once more with a fresh URL where S3 says 403. */
  async step(sign, body, part = 0) {
    const { signal } = this.controller;
    const progress = (loaded) => {
      const before = this.underway.get(part) ?? 0;
      this.speed.moved += Math.max(0, loaded - before);
      moved += Math.max(0, loaded - before);
      if (!signal.aborted) this.underway.set(part, loaded);
    };
    try {
      for (let [tries, refused] = [1, false]; ; tries = navigator.onLine ? tries + 1 : 1) {
        try {
          const answer = await send(await sign(signal, tries > 1), { body, signal, progress });
          this.note = '';
          return answer;
        } catch (error) {
          signal.throwIfAborted();
          if (error.from === 's3' && error.status === 403 && !refused) {
            refused = true;
            continue;
          }
          if (!error.transient || tries >= TRIES) throw error;
          await this.checkFile();
          this.underway.delete(part);
          this.become('running', error.status ? 'S3 is busy; trying again' : 'Waiting for the network');
          await pause(Math.min(30_000, 500 * 2 ** tries) * (0.5 + Math.random() / 2), signal);
        }
      }
    } finally {
      this.underway.delete(part);
    }
  }

  /** A file that was changed or removed looks like a broken network. */
  async checkFile() {
    try {
      await this.file.slice(0, 1).arrayBuffer();
    } catch {
      throw new Trouble('The file was changed or removed since it was chosen.', { status: 400 });
    }
  }

  get facts() {
    const { size, type } = this.file;
    return type ? { contentLength: size, contentType: type } : { contentLength: size };
  }

  get condition() {
    return this.replace ? {} : { ifNoneMatch: '*' };
  }

  async sendWhole() {
    const query = { ...this.facts, ...this.condition };
    const sign = (signal) => instruction('PUT', this.key, query, signal);
    await inSlot(this.controller.signal, () => this.step(sign, this.file));
    this.stored = this.size;
  }

  async sendInParts() {
    const begun = memory.get(this.memory) ?? (await this.begin());
    const etags = await this.storedParts(begun);
    await this.sendParts(begun, etags);
    await this.complete(begun, etags);
    memory.forget(this.memory);
  }

  async begin() {
    // S3 would refuse to replace an object in the end only.
    if (!this.replace && (await this.describe())) throw new Trouble('exists', { status: 412 });
    const query = { uploads: '', ...this.facts };
    const answer = await this.step((signal) => instruction('POST', this.key, query, signal));
    const partSize = Math.max(PART_SIZE, Math.ceil(this.size / MAX_PARTS / MIB) * MIB);
    const begun = { uploadId: textOf(answer.responseText, 'UploadId'), partSize, isNew: true };
    memory.set(this.memory, { uploadId: begun.uploadId, partSize });
    return begun;
  }

  /** The answer to a HEAD, or nothing if the object isn't there or may not be seen. */
  async describe() {
    // An answer to HEAD has no body: so not `instruction`.
    const sign = async (signal) => (await instructions([{ method: 'HEAD', key: this.key }], signal))[0];
    return this.step(sign).catch((error) => {
      if (error.sessionEnded || ![401, 403, 404].includes(error.status)) throw error;
    });
  }

  partLength(number, partSize) {
    return Math.min(partSize, this.size - (number - 1) * partSize);
  }

  /** The ETags of the parts that S3 has, by number. */
  async storedParts({ uploadId, partSize, isNew }) {
    const etags = new Map();
    this.stored = 0;
    if (isNew) return etags;
    for (let marker = '0'; marker; ) {
      const query = { uploadId, 'part-number-marker': marker };
      const { responseText: xml } = await this.step((signal) => instruction('GET', this.key, query, signal));
      for (const part of xml.split('<Part>').slice(1)) {
        const [number, size] = [Number(textOf(part, 'PartNumber')), Number(textOf(part, 'Size'))];
        if (size !== this.partLength(number, partSize)) continue;
        etags.set(number, textOf(part, 'ETag'));
        this.stored += size;
      }
      marker = textOf(xml, 'IsTruncated') === 'true' ? textOf(xml, 'NextPartNumberMarker') : '';
    }
    return etags;
  }

  async sendParts({ uploadId, partSize }, etags) {
    const count = Math.ceil(this.size / partSize);
    const todo = Array.from({ length: count }, (_, index) => index + 1).filter((number) => !etags.has(number));
    const urls = new PartUrls(this.key, uploadId, (number) => this.partLength(number, partSize));
    const { signal } = this.controller;
    const sendNext = async () => {
      for (let number; (number = todo.shift()); ) {
        const start = (number - 1) * partSize;
        const body = this.file.slice(start, start + partSize);
        const sign = (signal, fresh) => urls.of(number, todo, signal, fresh);
        const answer = await inSlot(signal, () => this.step(sign, body, number));
        etags.set(number, answer.getResponseHeader('etag')?.replaceAll('"', '&quot;'));
        this.stored += body.size;
      }
    };
    // The parts underway may end: what they send counts when the upload goes on.
    const stopping = (error) => ((todo.length = 0), Promise.reject(error));
    const workers = Array.from({ length: PARTS_AT_ONCE }, () => sendNext().catch(stopping));
    const failed = (await Promise.allSettled(workers)).find(({ status }) => status === 'rejected');
    if (failed) throw failed.reason;
  }

  async complete({ uploadId, partSize }, etags) {
    // Where the bucket's CORS rules don't expose ETag.
    const known = [...etags.values()].every(Boolean) ? etags : await this.storedParts({ uploadId, partSize });
    const inOrder = [...known].sort(([a], [b]) => a - b);
    const parts = inOrder.map(([number, etag]) => `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`);
    const body = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`;
    const query = { uploadId, 'mp-object-size': this.size, ...this.condition };
    const sign = (signal) => instruction('POST', this.key, query, signal);
    this.stored = this.size;
    await this.step(sign, new Blob([body])).catch(async (error) => {
      // Was it complete already, and only the answer lost?
      const object = error.code === 'NoSuchUpload' && (await this.describe());
      if (!object || Number(object.getResponseHeader('content-length')) !== this.size) throw error;
    });
  }

  async settle() {
    this.become('asking');
    const answer = await askOverwrite(this);
    if (this.state !== 'asking') return;
    if (answer === 'overwrite') this.replace = true;
    else if (answer === 'rename') await this.rename();
    else {
      this.become('skipped');
      return this.abandon().catch(report);
    }
    this.queue();
  }

  /** `a (2).txt` for `a.txt`; if that exists too, the question comes again with the next number. */
  async rename() {
    await this.abandon().catch(report);
    const [, stem, count, extension] = /^(.*?)(?: \((\d+)\))?(\.[^./]*)?$/s.exec(this.key);
    this.key = `${stem} (${Number(count ?? 1) + 1})${extension ?? ''}`;
    this.memory = memory.name(this.key, this.file);
    this.stored = 0;
    this.view.rename();
  }
}

/** The URLs of parts, signed in bulk shortly before they are needed. */
class PartUrls {
  constructor(key, uploadId, lengthOf) {
    Object.assign(this, { key, uploadId, lengthOf, promises: new Map() });
  }

  async of(number, following, signal, fresh) {
    const signed = !fresh && this.promises.get(number);
    const known = signed && (await signed.catch(() => null));
    if (known && known.until - performance.now() > 10_000) return known;
    const numbers = [number, ...following.slice(0, SIGNED_AT_ONCE - 1)];
    const requests = numbers.map((number) => {
      const query = { partNumber: number, uploadId: this.uploadId, contentLength: this.lengthOf(number) };
      return { method: 'PUT', key: this.key, query };
    });
    const all = instructions(requests, signal);
    numbers.forEach((number, index) => this.promises.set(number, all.then((list) => list[index])));
    for (const promise of this.promises.values()) promise.catch(() => {});
    return this.promises.get(number);
  }
}

/** The speed over the last seconds. */
class Speed {
  moved = 0;
  samples = [];

  sample(now = performance.now()) {
    this.samples.push([now, this.moved]);
    while (this.samples.length > 2 && now - this.samples[0][0] > 5000) this.samples.shift();
  }

  get perSecond() {
    const [[start, before], [end, after]] = [this.samples[0] ?? [0, 0], this.samples.at(-1) ?? [0, 0]];
    return end > start ? ((after - before) * 1000) / (end - start) : 0;
  }
}

function pump() {
  const running = [...transfers].filter(({ state }) => state === 'running').length;
  const queued = [...transfers].filter(({ state }) => state === 'queued');
  for (const transfer of queued.slice(0, FILES_AT_ONCE - running)) transfer.start().then(pump).catch(report);
  draw();
  if (!busy()) drained();
}

const busy = () => [...transfers].some(({ state }) => BUSY.includes(state));

let wasBusy = false;
let forAll = null;

function drained() {
  forAll = null;
  if (!wasBusy) return;
  wasBusy = false;
  const done = [...transfers].filter((transfer) => transfer.state === 'done' && !transfer.told);
  if (done.length === 0) return;
  for (const transfer of done) transfer.told = true;
  announce(done.length === 1 ? `${done[0].key} uploaded` : `${done.length} files uploaded`);
  refresh().catch(report);
}

function endSession() {
  for (const transfer of transfers) {
    if (['queued', 'running'].includes(transfer.state)) transfer.pause('signed-out');
  }
  signInAgain(() => {
    for (const transfer of transfers) if (transfer.state === 'signed-out') transfer.queue();
  });
}

let questions = Promise.resolve();

/** One question after another. */
function askOverwrite(transfer) {
  const answer = questions.then(async () => {
    if (forAll) return forAll;
    const dialog = find('#confirm-overwrite');
    // Where the rule forbids to replace, Signpost demands the condition.
    const { headers } = await instruction('PUT', transfer.key, { ...transfer.facts, contentLength: 1 });
    find('[value="overwrite"]', dialog).hidden = 'if-none-match' in headers;
    find('[name="all"]', dialog).checked = false;
    const value = (await open(dialog, { key: transfer.key })) || 'skip';
    if (find('[name="all"]', dialog).checked) forAll = value;
    return value;
  });
  questions = answer.catch(() => {});
  return answer.catch((error) => (transfer.stop(error), null));
}

const STATES = {
  queued: 'Waiting for its turn',
  paused: 'Paused',
  asking: 'Exists already',
  'signed-out': 'Waiting until you have signed in',
  unfinished: 'Not finished. Choose the same file again to go on: what has arrived is not sent again.',
  skipped: 'Skipped: it exists already',
};

class TransferView {
  constructor(transfer) {
    this.transfer = transfer;
    this.element = find('#transfer').content.cloneNode(true).firstElementChild;
    this.progress = find('progress', this.element);
    this.state = find('[data-slot="state"]', this.element);
    this.buttons = findAll('button', this.element);
    for (const button of this.buttons) button.words = button.textContent;
    this.element.addEventListener('click', (event) => this.act(event.target.closest('button')?.dataset.action));
    this.rename();
    this.draw();
    find('#transfer-list').append(this.element);
  }

  rename() {
    const name = visible(this.transfer.key.slice(prefix.length));
    find('[data-slot="name"]', this.element).textContent = name;
    this.progress.setAttribute('aria-label', name);
    for (const button of this.buttons) button.setAttribute('aria-label', `${button.words} ${name}`);
  }

  act(action) {
    const { transfer } = this;
    if (action === 'pause') transfer.pause();
    else if (action === 'cancel') transfer.cancel().catch(report);
    else if (action && transfer.state === 'unfinished') choose({}, ([file]) => transfer.resumeWith(file));
    else if (action) transfer.queue();
    pump();
  }

  remove() {
    const hadFocus = this.element.contains(document.activeElement);
    this.element.remove();
    draw();
    if (hadFocus) (find('#transfer-list button:not([hidden])') ?? find('[data-action="upload-files"]'))?.focus();
  }

  draw() {
    const { state, note, loaded, size, speed } = this.transfer;
    this.element.dataset.state = state;
    this.progress.value = state === 'done' ? 1 : size ? loaded / size : 0;
    this.progress.hidden = ['skipped', 'unfinished'].includes(state);
    const words = { ...STATES, done: `Uploaded, ${bytes(size)}`, running: flow(loaded, size, speed.perSecond) };
    this.state.textContent = note || words[state];
    const shown = {
      pause: ['queued', 'running'],
      resume: ['paused', 'unfinished'],
      retry: ['failed', 'signed-out'],
      cancel: ['queued', 'running', 'paused', 'failed', 'signed-out', 'unfinished'],
    };
    for (const button of this.buttons) this.show(button, shown[button.dataset.action].includes(state));
  }

  /** A button that goes hands on the focus. */
  show(button, shown) {
    if (button.hidden !== shown) return;
    const hadFocus = document.activeElement === button;
    button.hidden = !shown;
    if (hadFocus) queueMicrotask(() => this.buttons.find(({ hidden }) => !hidden)?.focus());
  }
}

function flow(loaded, size, perSecond) {
  const words = [`${bytes(loaded)} of ${bytes(size)}`];
  if (perSecond > 0) words.push(`${bytes(perSecond)}/s`, `${duration((size - loaded) / perSecond)} left`);
  return words.join(' · ');
}

const total = new Speed();
let clock = 0;

function draw() {
  const section = find('#transfers');
  if (!section) return;
  section.hidden = transfers.size === 0;
  drawTotal();
  wasBusy ||= busy();
  if (busy() && !clock) clock = setInterval(tick, 250);
  if (!busy()) clock = clearInterval(clock);
}

function tick() {
  total.moved = moved;
  total.sample();
  for (const { speed, state, view } of transfers) {
    if (state !== 'running') continue;
    speed.sample();
    view.draw();
  }
  draw();
}

const clear = makeButton('Clear finished', clearFinished);
const totalWords = make('span');
const totalProgress = make('progress', { max: 1, ariaLabel: 'All transfers' });

function drawTotal() {
  const all = [...transfers].filter(({ state }) => !['skipped', 'unfinished'].includes(state));
  const sum = (values) => values.reduce((sum, value) => sum + value, 0);
  const size = sum(all.map(({ size }) => size));
  const loaded = sum(all.map((transfer) => (transfer.state === 'done' ? transfer.size : transfer.loaded)));
  const done = all.filter(({ state }) => state === 'done').length;
  totalProgress.value = size ? loaded / size : Number(done === all.length);
  totalProgress.hidden = totalWords.hidden = all.length === 0;
  totalWords.textContent = `${done} of ${all.length} · ${flow(loaded, size, busy() ? total.perSecond : 0)}`;
  clear.hidden = !finished().length;
  const box = find('#transfers-total');
  if (!box.contains(clear)) box.append(totalProgress, totalWords, clear);
}

const finished = () => [...transfers].filter(({ state }) => ['done', 'skipped'].includes(state));

function clearFinished() {
  for (const transfer of finished()) {
    transfers.delete(transfer);
    transfer.view.remove();
  }
  draw();
  find('[data-action="upload-files"]')?.focus();
}

/** Uploads pairs of a path below this prefix and a `File`. */
function upload(files) {
  if (files.length === 0) return;
  announce(files.length === 1 ? `Uploading ${files[0][0]}` : `Uploading ${files.length} files`);
  for (const [path, file] of files) {
    const key = prefix + path;
    const name = memory.name(key, file);
    const begun = [...transfers].find((transfer) => transfer.memory === name && !['done', 'skipped'].includes(transfer.state));
    if (begun?.state === 'unfinished') begun.resumeWith(file);
    else if (!begun) new Transfer(key, file);
  }
  pump();
}

const uploadFiles = (files) => upload(files.map((file) => [file.webkitRelativePath || file.name, file]));

function choose(properties, then) {
  const input = make('input', { type: 'file', ...properties });
  input.onchange = () => then([...input.files]);
  input.click();
}

/** All files of a dropped file or folder, with their paths. */
async function walk(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [[entry.fullPath.replace(/^\//, ''), file]];
  }
  const reader = entry.createReader();
  const found = [];
  for (let some; (some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))).length; ) {
    found.push(...some); // a folder comes in pieces
  }
  return (await Promise.all(found.map(walk))).flat();
}

function listenForFiles() {
  const where = prefix ? prefix.split('/').at(-2) + '/' : 'this bucket';
  const zone = make('div', { className: 'drop', hidden: true }, make('p', {}, `Drop files or folders to upload them to ${where}`));
  document.body.append(zone);
  const holdsFiles = (event) => event.dataTransfer?.types.includes('Files');
  const show = (shown) => (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    zone.hidden = !shown;
  };
  addEventListener('dragover', show(true));
  addEventListener('dragleave', (event) => event.relatedTarget ?? show(false)(event));
  addEventListener('drop', (event) => {
    if (!holdsFiles(event)) return;
    show(false)(event);
    // Both must be read before the event is over.
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const files = [...event.dataTransfer.files];
    if (entries.length === 0) return uploadFiles(files);
    Promise.all(entries.map(walk)).then((found) => upload(found.flat())).catch(report);
  });
  addEventListener('paste', (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0 || event.target.closest('input, textarea')) return;
    event.preventDefault();
    upload(files.map((file) => [pastedName(file), file]));
  });
}

/** Every copied picture is called `image.png`. */
function pastedName({ name }) {
  if (!/^image\.\w+$/.test(name)) return name;
  const time = new Date().toISOString().slice(0, 19).replaceAll(':', '.').replace('T', ' ');
  return name.replace('image', `pasted ${time}`);
}

/** Opens a dialog; resolves with the value of the button that closes it. */
function open(dialog, slots = {}) {
  for (const [slot, text] of Object.entries(slots)) find(`[data-slot="${slot}"]`, dialog).textContent = visible(text);
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener('close', () => resolve(dialog.returnValue), { once: true }));
}

const notice = make('div', { className: 'notice', hidden: true });

function say(text, ...more) {
  announce(text);
  notice.replaceChildren(make('p', {}, visible(text)), ...more, makeButton('Close', hush));
  notice.hidden = false;
}

const hush = () => (notice.hidden = true);

function report(error) {
  if (error.name === 'AbortError') return;
  if (error.sessionEnded) signInAgain();
  else say(error.message);
}

function signInAgain(retry) {
  const { login } = document.body.dataset;
  const link = login && make('a', { href: login, target: '_blank', rel: 'noopener', className: 'button' }, 'Sign in');
  const again = retry && makeButton('Retry', () => (hush(), retry()));
  const words = retry ? 'Your session has ended. Sign in again in another tab, then retry here. Nothing is lost.' : 'Sign in for that.';
  say(words, ...[link, again].filter(Boolean));
}

/** Copies, or shows the text where a page may not. */
async function copy(text, words) {
  try {
    await navigator.clipboard.writeText(text);
    say(words);
  } catch {
    const field = make('input', { readOnly: true, value: text, ariaLabel: 'To be copied' });
    say('Copy this:', field);
    field.select();
  }
}

// What can be done to an object

const actions = {
  'upload-files': () => choose({ multiple: true }, uploadFiles),
  'upload-folder': () => choose({ webkitdirectory: true }, uploadFiles),
  'copy-link': ({ key }) => copy(urlOf(key), 'Link copied.'),
  'copy-curl': ({ key }) => copy(`curl -fL -O '${urlOf(key)}'`, 'Command copied.'),

  async 'copy-temporary-link'({ key }) {
    const { url, expires_at } = await instruction('GET', key);
    await copy(url, `Temporary link copied. It works until ${moment.format(new Date(expires_at))}.`);
  },

  async share({ key }) {
    const dialog = find('#share-dialog');
    find('[data-slot="result"]', dialog).replaceChildren();
    const closed = open(dialog, { key });
    find('[value="share"]', dialog).onclick = (event) => {
      event.preventDefault(); // the dialog stays, and shows the link
      share(key, dialog).catch((error) => (dialog.close(), report(error)));
    };
    await closed;
  },

  async delete({ key, row }) {
    if ((await open(find('#confirm-delete'), { key })) !== 'delete') return;
    await send(await instruction('DELETE', key));
    announce(`${key} deleted`);
    if (!row) return location.assign('./');
    const place = findAll('#entries tr').indexOf(row);
    await refresh();
    const next = findAll('#entries tr')[place] ?? findAll('#entries tr').at(-1);
    (next ? find('a', next) : find('h1'))?.focus();
  },

  async preview({ key }) {
    const dialog = find('#preview-dialog');
    const place = find('[data-slot="preview"]', dialog);
    place.replaceChildren('Loading…');
    const closed = open(dialog, { name: key.split('/').at(-1) });
    closed.then(() => place.replaceChildren()); // ends what plays
    place.replaceChildren(...(await preview(key)));
  },
};

async function share(key, dialog) {
  const expires = find('[name="expires"]', dialog).value;
  const { url, expires_at } = await ask(`${api.href}-/share`, { method: 'POST', body: JSON.stringify({ key, expires }) });
  const field = make('input', { readOnly: true, value: url, ariaLabel: 'Link' });
  const button = makeButton('Copy', () => {
    field.select();
    navigator.clipboard?.writeText(url).then(() => (button.textContent = 'Copied'));
  });
  const until = make('span', {}, `Works until ${moment.format(new Date(expires_at))}.`);
  find('[data-slot="result"]', dialog).replaceChildren(field, button, until);
  field.select();
}

const KINDS = {
  img: 'avif bmp gif ico jpeg jpg png svg webp',
  audio: 'aac flac m4a mp3 oga ogg opus wav',
  video: 'm4v mov mp4 ogv webm',
  pdf: 'pdf',
  text: 'c conf cpp css csv diff go h htm html ini java js json log md php py rb rs sh sql srt tex toml ts tsv txt xml yaml yml',
};

async function preview(key) {
  const extension = /\.([^./]+)$/.exec(key)?.[1].toLowerCase() ?? '';
  const kind = Object.keys(KINDS).find((kind) => KINDS[kind].split(' ').includes(extension));
  const download = make('a', { href: urlOf(key, { download: '' }), className: 'button' }, 'Download');
  const none = (words) => [make('p', {}, words), download];
  // What S3 sends for a document is shown only as what our own page has it sent as.
  if (kind === 'pdf') return [make('a', { href: urlOf(key, { view: '' }), className: 'button' }, 'Show the document'), download];
  if (kind === 'text') return previewText(key);
  if (!kind) return none('There is no preview for this kind of file.');
  const { url } = await instruction('GET', key);
  const element = make(kind, { src: url, ...(kind === 'img' ? { alt: key.split('/').at(-1) } : { controls: true }) });
  element.onerror = () => element.replaceWith(...none('The browser can’t show this file.'));
  return [element];
}

async function previewText(key) {
  const { url } = await instruction('GET', key);
  const response = await fetch(url, { headers: { range: `bytes=0-${TEXT_PREVIEW - 1}` }, cache: 'no-store' });
  if (response.status === 416) return [make('p', {}, 'The file is empty.')];
  if (!response.ok) throw new Trouble(`S3 answered ${response.status}.`, { status: response.status });
  const content = await response.arrayBuffer();
  const block = make('pre', { tabIndex: 0 }, new TextDecoder().decode(content));
  const cut = content.byteLength === TEXT_PREVIEW;
  return cut ? [block, make('p', {}, `Only the first ${bytes(TEXT_PREVIEW)} are shown.`)] : [block];
}

// The page

/** Takes over the rows as the server now tells them. */
async function refresh() {
  if (document.body.dataset.page !== 'listing') return;
  const request = new XMLHttpRequest();
  request.open('GET', location.href);
  request.setRequestHeader('accept', 'text/html');
  request.responseType = 'document';
  await new Promise((resolve) => {
    request.onloadend = resolve;
    request.send();
  });
  if (request.status !== 200 || !request.response) return;
  const listed = 'table.listing, .empty, nav.pages';
  const fresh = findAll(listed, find('#main', request.response)).map((element) => document.importNode(element, true));
  for (const old of findAll(listed, main)) old.remove();
  find('form.filter', main).after(...fresh);
  dressRows();
}

const menu = make('div', { id: 'menu', className: 'menu', popover: 'auto' });
let menuRow = null;

function keyOf(row) {
  const href = find('th a', row).getAttribute('href');
  return prefix + decodeURIComponent(href.slice(2).replace(/\?view$/, ''));
}

function dressRows() {
  localiseTimes(main);
  if (!find('#row-actions')?.content.firstElementChild) return;
  for (const row of findAll('#entries tr:not(.folder)')) {
    const link = find('th a', row);
    if (!link) continue;
    const more = makeButton('⋯');
    more.className = 'more';
    more.setAttribute('aria-label', `Actions for ${link.textContent}`);
    more.popoverTargetElement = menu;
    row.lastElementChild.append(more);
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

function listen() {
  document.addEventListener('click', (event) => {
    const element = event.target.closest('[data-action], .more');
    if (element?.matches('.more')) return openMenuAt(element);
    const act = actions[element?.dataset.action];
    if (!act) return;
    event.preventDefault();
    const inMenu = menu.contains(element);
    const subject = inMenu ? { key: keyOf(menuRow), row: menuRow } : { key: main.dataset.key };
    if (inMenu) menu.hidePopover(); // gives the focus back, before a dialog takes it
    Promise.resolve(act(subject)).catch(report);
  });
  addEventListener('beforeunload', (event) => busy() && event.preventDefault());
}

main.append(notice, menu);
menu.append(find('#row-actions')?.content.cloneNode(true) ?? '');
for (const button of findAll('button[data-action][hidden]', main)) button.hidden = false;
dressRows();
listen();
if (document.body.dataset.page === 'listing' && can.has('write')) {
  find('[data-action="form"]')?.setAttribute('hidden', '');
  listenForFiles();
  for (const { key, file } of await memory.unfinished()) new Transfer(key, file);
  draw();
}
