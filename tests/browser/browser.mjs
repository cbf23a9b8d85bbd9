// The browser, and pages on which a test fails if they violate their content security policy, throw an error, open a dialog, or
// follow a redirect with fetch.
import assert from 'node:assert/strict';
import { after, before, test as register } from 'node:test';
import * as playwright from 'playwright-core';

import { isFirefox, launchBrowser, newContext } from '../lib/browsers.mjs';
import { LimitedNetwork } from './network.mjs';
import { Signpost, rules } from './signpost.mjs';

export { throttle } from './network.mjs';

// The limits are generous, because a CI machine can be slow.
const TEST_MILLISECONDS = 600_000;
const ACTION_MILLISECONDS = 60_000;

let browser;

export function usesBrowser(options) {
  before(async () => {
    browser = await launchBrowser(playwright, options);
  });
  after(() => browser.close());
}

/**
 * A test with its own server and browser context. `policy` is the text of the rules file, and `notInFirefox` the reason why WebDriver
 * BiDi cannot do this test; other options go to the context.
 */
export function test(name, { policy = rules(), settings, front = 'rest', timeout = TEST_MILLISECONDS, notInFirefox, ...options }, body) {
  register(name, { timeout, skip: isFirefox && notInFirefox }, async () => {
    const network = isFirefox ? await LimitedNetwork.start() : null;
    const addresses = network ? ['--s3-listen', `127.0.0.1:${network.target}`, '--s3-url', network.url] : [];
    const signpost = await Signpost.start({ rules: policy, settings, options: ['--front', front, ...addresses] });
    signpost.s3 = network?.url ?? signpost.s3;
    const context = await newContext(browser, { locale: 'en-GB', timezoneId: 'Europe/Paris', acceptDownloads: true, ...options });
    context.setDefaultTimeout(ACTION_MILLISECONDS);
    const watch = new Watch(signpost);
    try {
      const open = async (path = '') => {
        const page = await context.newPage();
        await watch.over(page);
        const response = await page.goto(`${signpost.url}/${path}`);
        return Object.assign(page, { response, network });
      };
      await body({ signpost, context, open, watch });
      watch.check();
    } catch (error) {
      error.message += watch.faults.map((fault) => `\nthe page ${fault}`).join('');
      throw error;
    } finally {
      await context.close();
      await signpost.stop();
      network?.stop();
    }
  });
}

/**
 * What Firefox reports as an error although it is none: that a policy prevents its requests for the target of `rel="next"` and for an
 * icon, that a request failed without a network, and that playwright-core inserts a style for each screenshot.
 */
const REPORTS_OF_FIREFOX = [
  /default-src.*[?&]next=/,
  /img-src.*\/favicon\.ico/,
  /Reason: CORS request did not succeed/,
  ...(process.env.SIGNPOST_BROWSER_PICTURES ? [/style-src-elem/] : []),
];

/** Collects everything that must not happen on a page. */
class Watch {
  faults = [];

  constructor(signpost) {
    this.signpost = signpost;
  }

  /** Records a fault, without the query strings of URLs, which may be signed. */
  fault(text) {
    if (isFirefox && REPORTS_OF_FIREFOX.some((pattern) => pattern.test(text))) return;
    this.faults.push(text.replace(/\?[^\s'"]*/g, '?…'));
  }

  async over(page) {
    await page.exposeBinding('reportViolation', (_, text) => this.fault(text));
    await page.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => {
        window.reportViolation(`violates ${event.effectiveDirective}: ${event.blockedURI} ${event.sample} in line ${event.lineNumber}`);
      });
      window.pwned = () => window.reportViolation('a name was executed');
    });
    page.on('pageerror', (error) => this.fault(`throws ${error.stack}`));
    page.on('console', (message) => {
      if (/Content Security Policy|Trusted ?Type/i.test(message.text())) this.fault(message.text());
    });
    page.on('dialog', (dialog) => {
      if (dialog.type() === 'beforeunload') return dialog.accept();
      this.fault(`opens a dialog: ${dialog.message()}`);
      return dialog.dismiss();
    });
    page.on('request', (request) => {
      const followed = request.redirectedFrom() && ['fetch', 'xhr'].includes(request.resourceType());
      if (followed) this.fault(`follows a redirect from ${request.redirectedFrom().url().split('?')[0]}`);
    });
  }

  check() {
    assert.deepEqual(this.faults, []);
  }
}

/** The row of a name in the listing. */
export const row = (page, name) => page.locator('#entries tr').filter({ has: page.locator('th').getByText(name, { exact: true }) });

/** Opens the menu of a row and chooses an action. */
export async function act(page, name, action) {
  await row(page, name).locator('.more').click();
  await page.locator(`#menu [data-action="${action}"]`).click();
}

export const transfer = (page, name) =>
  page.locator('.transfer').filter({ has: page.locator('[data-slot="name"]').getByText(name, { exact: true }) });

/** Waits until a transfer is in this state. */
export const reaches = (page, name, state, timeout = TEST_MILLISECONDS) =>
  transfer(page, name).and(page.locator(`[data-state="${state}"]`)).waitFor({ timeout });

/** Chooses files by a button, as a user does. */
export async function choose(page, action, files) {
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.locator(`main [data-action="${action}"]`).click()]);
  await chooser.setFiles(files);
}

/** Collects the requests that the page sends from now on: method, origin, path and query. */
export function listen(page) {
  const requests = [];
  page.on('request', (request) => {
    const { origin, pathname, searchParams } = new URL(request.url());
    requests.push({ method: request.method(), origin, path: pathname, query: searchParams, type: request.resourceType() });
  });
  return requests;
}

/** The numbers of the parts in these requests to S3. */
export const parts = (requests, s3) =>
  requests.filter(({ method, origin, query }) => method === 'PUT' && origin === s3 && query.has('partNumber')).map(({ query }) => Number(query.get('partNumber')));

/** Waits until a transfer has sent at least this fraction of its file. */
export const hasSent = (page, name, share) =>
  page.waitForFunction(
    ([name, share]) => {
      const names = [...document.querySelectorAll('.transfer [data-slot="name"]')];
      const found = names.find(({ textContent }) => textContent === name);
      return found?.closest('.transfer').querySelector('progress').value >= share;
    },
    [name, share],
    { timeout: TEST_MILLISECONDS, polling: 50 },
  );

/** A file for a file chooser. */
export const file = (name, content, mimeType = 'text/plain') => ({ name, mimeType, buffer: Buffer.from(content) });
