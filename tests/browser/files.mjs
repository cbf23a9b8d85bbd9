// Files on disk. Their content depends on the position in the file, so that a test notices parts in the wrong order.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

export const MIB = 1024 * 1024;

/** Runs `body` with a temporary folder. */
export async function inFolder(body) {
  const folder = await mkdtemp(path.join(tmpdir(), 'signpost-files-'));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A file of `size` bytes, in which each MiB is different. */
export async function largeFile(folder, name, size) {
  const file = path.join(folder, name);
  const handle = await open(file, 'w');
  const block = Buffer.alloc(MIB);
  for (let offset = 0; offset < size; offset += MIB) {
    block.fill(`${name} ${offset} `);
    await handle.write(block, 0, Math.min(MIB, size - offset));
  }
  await handle.close();
  return file;
}

export async function smallFile(folder, name, content) {
  const file = path.join(folder, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, content);
  return file;
}

async function digest(stream) {
  const hash = createHash('sha256');
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest('hex');
}

export const digestOfFile = (file) => digest(createReadStream(file));

/** The digest of the object that S3 returns for this key. */
export async function digestOfObject(signpost, key) {
  const { url } = await signpost.instruction('GET', key);
  return digest((await fetch(url)).body);
}
