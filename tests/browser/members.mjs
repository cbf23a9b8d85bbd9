// Rules that let nobody in but the holder of a token, and how a browser's user signs in with it.
import { createHash } from 'node:crypto';

const SECRET = 'the secret of a test';

/** Options of a test whose pages need a session. */
export const MEMBERS = {
  settings: { SIGNPOST_KEYS: `k1:${'A'.repeat(43)}` },
  table: `
version = 1
[[token]]
id = "ci"
sha256 = "${createHash('sha256').update(SECRET).digest('hex')}"
[[rule]]
id = "all"
who = ["token:ci"]
can = ["read", "write", "delete", "list"]
on = ["**"]
share_expires = "2d"`,
};

/** What the test's own requests send as `Authorization`. */
export const CREDENTIAL = `Bearer ${SECRET}`;

/** Signs in on the page to which "Sign in" leads. */
export async function giveToken(page) {
  await page.getByLabel('Token').fill(SECRET);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Signs in from a page that refuses. */
export async function signIn(page) {
  await page.locator('main').getByRole('link', { name: 'Sign in' }).click();
  await giveToken(page);
}
