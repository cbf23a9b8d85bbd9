// A person at the provider's and at Signpost's pages, with a browser or with what stands for one.

import { chromium } from 'playwright-core'

export const openBrowser = () => chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
})

// Fills in the provider's forms, from its login page on until it sends the browser back.
export async function signInAtProvider(page, name) {
  await page.fill('input[name=login]', name)
  await page.fill('input[name=password]', 'any')
  await page.click('button[type=submit]')
  await page.waitForSelector('text=/consent|authorize/i')
  await page.click('button[type=submit]')
}
