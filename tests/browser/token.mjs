// A policy that requires a token, and signing in with that token on the page.
import { tokenDigest } from '../lib/local_server.mjs';

const SECRET = 'the secret of a test';

/** Options of a test whose pages require a session. */
export const TOKEN_REQUIRED = {
  settings: { SIGNPOST_KEYS: `k1:${'A'.repeat(43)}` },
  policy: `
version = 1
[[token]]
id = "ci"
sha256 = "${tokenDigest(SECRET)}"
[[rule]]
id = "all"
who = ["token:ci"]
can = ["read", "write", "delete", "list"]
on = ["**"]
share_expires = "2d"`,
};

/** The `Authorization` header of a request with the token. */
export const CREDENTIAL = `Bearer ${SECRET}`;

/** Signs in on the sign-in page. */
export async function submitToken(page) {
  await page.getByLabel('Token').fill(SECRET);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Signs in from a page that rejected the request. */
export async function signIn(page) {
  await page.locator('main').getByRole('link', { name: 'Sign in' }).click();
  await submitToken(page);
}
