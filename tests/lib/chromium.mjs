// How the suites start Debian's Chromium with playwright-core.

/** Options for `chromium.launch`. The sandbox is off because CI runs as root; the flags prevent requests of Chromium's own. */
export const LAUNCH_OPTIONS = {
  executablePath: '/usr/bin/chromium',
  chromiumSandbox: false,
  args: ['--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
};
