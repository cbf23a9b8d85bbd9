// The screenshots in README.md. SIGNPOST_UPDATE=1 writes them; otherwise the test compares them with the real page.
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { test, usesBrowser } from './browser.mjs';
import { MIB } from './files.mjs';
import { rules } from './signpost.mjs';

usesBrowser();

const FOLDER = path.resolve(import.meta.dirname, '../../docs/images');
const SCHEMES = ['light', 'dark'];
const SIZE = { viewport: { width: 960, height: 540 }, deviceScaleFactor: 2, notInFirefox: 'the screenshots show Chromium' };
/** Mean difference of the pixels, of 255. Fonts and times differ between machines by less. */
const TOLERANCE = 6;
const FILES = {
  'photos/harbour.jpg': [0.4, 'image/jpeg'],
  'annual-report.pdf': [2.3, 'application/pdf'],
  'budget.csv': [0.03, 'text/csv'],
  'release-notes.txt': [0.004, 'text/plain'],
  'signpost-demo.mp4': [9.7, 'video/mp4'],
};

test('the screenshots of the README show the real page', { ...SIZE, policy: rules('reuse_url_for = "4m"') }, async ({ signpost, open }) => {
  for (const [name, [size, type]] of Object.entries(FILES)) await signpost.put(`2026/${name}`, Buffer.alloc(size * MIB, name), type);
  const page = await open('2026/');
  for (const colorScheme of SCHEMES) {
    await page.emulateMedia({ colorScheme });
    const picture = await page.screenshot({ animations: 'disabled' });
    const file = path.join(FOLDER, `page-${colorScheme}.png`);
    if (process.env.SIGNPOST_UPDATE) await mkdir(FOLDER, { recursive: true }).then(() => writeFile(file, picture));
    const difference = await compare(page.context(), picture, await readFile(file));
    assert.ok(difference < TOLERANCE, `${file} differs from the page by ${difference}; set SIGNPOST_UPDATE=1 to write a new one`);
  }
});

test('the README contains both screenshots', {}, async () => {
  const readme = await readFile(path.resolve(FOLDER, '../../README.md'), 'utf8');
  for (const colorScheme of SCHEMES) assert.ok(readme.includes(`"docs/images/page-${colorScheme}.png"`), colorScheme);
});

/** The mean difference of two pictures, reduced to a size at which text is only a shade of grey. */
async function compare(context, ...pictures) {
  const page = await context.newPage();
  try {
    return await page.evaluate(async (sources) => {
      const [width, height] = [96, 54];
      const pixels = async (source) => {
        const image = await createImageBitmap(await (await fetch(source)).blob());
        const canvas = new OffscreenCanvas(width, height).getContext('2d');
        canvas.imageSmoothingQuality = 'high';
        canvas.drawImage(image, 0, 0, width, height);
        return { size: `${image.width}x${image.height}`, data: canvas.getImageData(0, 0, width, height).data };
      };
      const [a, b] = await Promise.all(sources.map(pixels));
      if (a.size !== b.size) return Infinity;
      return a.data.reduce((sum, value, index) => sum + Math.abs(value - b.data[index]), 0) / a.data.length;
    }, pictures.map((picture) => `data:image/png;base64,${picture.toString('base64')}`));
  } finally {
    await page.close();
  }
}
