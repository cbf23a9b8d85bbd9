// Uploads TEXT through a redirect with Node's fetch: node fetch.mjs URL buffer|blob|string|stream TEXT
const [url, kind, text] = process.argv.slice(2);
const bodies = {
  buffer: () => Buffer.from(text),
  blob: () => new Blob([text]),
  string: () => text,
  stream: () => new Blob([text]).stream(),
};
const response = await fetch(url, { method: 'PUT', body: bodies[kind](), duplex: 'half' });
console.log(response.status);
process.exit(response.ok ? 0 : 1);
