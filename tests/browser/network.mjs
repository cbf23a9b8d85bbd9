// Limits the network of a page. Chromium does this itself. WebDriver BiDi has no command for it, so Firefox reaches S3 through a TCP
// proxy.
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { isFirefox } from '../lib/browsers.mjs';

/** A TCP proxy that forwards the data of clients at a limited rate. */
export class LimitedNetwork {
  bytesPerSecond = 0;
  freeAt = 0;
  sockets = new Set();

  static async start() {
    const network = new LimitedNetwork();
    network.server = createServer((socket) => network.forward(socket));
    network.target = await freePort();
    await listen(network.server);
    network.url = `http://127.0.0.1:${network.server.address().port}`;
    return network;
  }

  forward(client) {
    const server = connect(this.target, '127.0.0.1');
    for (const socket of [client, server]) {
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    server.pipe(client);
    client.on('data', async (data) => {
      server.write(data);
      client.pause();
      await this.turn(data.length);
      client.resume();
    });
  }

  /** Waits until the limit allows more data. A change of the limit takes effect within a moment. */
  async turn(bytes) {
    if (!this.bytesPerSecond) return;
    this.freeAt = Math.max(this.freeAt, Date.now()) + (bytes / this.bytesPerSecond) * 1000;
    while (this.bytesPerSecond && Date.now() < this.freeAt) await sleep(Math.min(this.freeAt - Date.now(), 50));
  }

  stop() {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}

const listen = (server, port = 0) => new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));

async function freePort() {
  const probe = createServer();
  await listen(probe);
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Limits the uploads of the page to this rate (0 means no limit), or disconnects the page from the network. */
export async function throttle(page, bytesPerSecond, offline = false) {
  if (isFirefox) {
    page.network.bytesPerSecond = bytesPerSecond;
    return page.context().setOffline(offline);
  }
  page.cdp ??= await page.context().newCDPSession(page);
  await page.cdp.send('Network.enable');
  await page.cdp.send('Network.emulateNetworkConditions', {
    offline,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: bytesPerSecond || -1,
  });
}
