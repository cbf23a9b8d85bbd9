// Starts the browser of a suite with playwright-core: Debian's Chromium, or Debian's Firefox over WebDriver BiDi. The variable
// SIGNPOST_BROWSER selects it.
import { userInfo } from 'node:os';

export const browserName = process.env.SIGNPOST_BROWSER || 'chromium';
export const isFirefox = browserName === 'firefox';

/** The sandbox is off because CI runs as root; the flags prevent requests of Chromium's own. */
const CHROMIUM = {
  executablePath: '/usr/bin/chromium',
  chromiumSandbox: false,
  args: ['--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
};

/**
 * With the channel of Mozilla's own Firefox, playwright-core uses WebDriver BiDi. For root, Firefox does not start if another user owns
 * the folder in HOME, as in a container of GitHub Actions.
 */
const FIREFOX = {
  channel: 'moz-firefox',
  executablePath: '/usr/bin/firefox-esr',
  env: { ...process.env, HOME: userInfo().homedir },
  firefoxUserPrefs: {
    'dom.events.testing.asyncClipboard': true, // instead of permissions for the clipboard, which BiDi does not have
    'network.proxy.allow_hijacking_localhost': true,
  },
};

/** Commands that playwright-core sends for each context, but that Firefox ESR does not have. */
const MISSING_IN_FIREFOX = new Set(['emulation.setMediaFeaturesOverride']);

/** Starts the browser. The first parameter is the module playwright-core, which each suite installs for itself. */
export async function launchBrowser({ chromium, firefox }, { javaScriptEnabled = true } = {}) {
  if (!isFirefox) return chromium.launch(CHROMIUM);
  // BiDi cannot disable scripts in a context, so the whole browser has none.
  const firefoxUserPrefs = { ...FIREFOX.firefoxUserPrefs, 'javascript.enabled': javaScriptEnabled };
  const browser = await firefox.launch({ ...FIREFOX, firefoxUserPrefs });
  const prototype = Object.getPrototypeOf(browser._connection.toImpl(browser)._browserSession);
  const { send } = prototype;
  prototype.send = function (method, parameters) {
    return MISSING_IN_FIREFOX.has(method) ? Promise.resolve({}) : send.call(this, method, parameters);
  };
  return browser;
}

/** Creates a context. Options that WebDriver BiDi does not have are set in another way, or not at all. */
export async function newContext(browser, { isMobile, permissions, javaScriptEnabled, ...options }) {
  if (!isFirefox) return browser.newContext({ isMobile, permissions, javaScriptEnabled, ...options });
  const context = await browser.newContext(options);
  if (javaScriptEnabled === false) context.on('page', actWithoutFrames);
  return context;
}

/** Before an action, playwright-core waits for animation frames, which do not exist without scripts. */
function actWithoutFrames(page) {
  const prototype = Object.getPrototypeOf(page.locator('html'));
  const { click } = prototype;
  prototype.click = function (options) {
    return click.call(this, { force: true, ...options });
  };
  prototype.fill = function (value) {
    return this.evaluate((element, text) => (element.value = text), value);
  };
}
