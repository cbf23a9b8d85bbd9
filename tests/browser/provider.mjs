// A certified OpenID provider on loopback, whose keys a test can replace while it runs.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { Provider as OidcProvider } from 'oidc-provider';

export const AUDIENCE = 'files';
const CLIENT_SECRET = 'the-secret-of-the-ci-client';

const key = (kid, type, options, alg) => {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig' };
};

const keys = (generation) => [
  key(`rsa-${generation}`, 'rsa', { modulusLength: 2048 }, 'RS256'),
  key(`ec-${generation}`, 'ec', { namedCurve: 'P-256' }, 'ES256'),
];

/** `requests` contains the paths of all requests, and `idTokenSeconds` is the lifetime of new ID tokens. */
export class Provider {
  idTokenSeconds = 3600;
  requests = [];

  static async start() {
    const provider = new Provider();
    provider.server = createServer((request, response) => provider.handle(request, response));
    await new Promise((resolve) => provider.server.listen(0, '127.0.0.1', resolve));
    provider.issuer = `http://127.0.0.1:${provider.server.address().port}`;
    return provider;
  }

  /** Serves the client with this redirect URI, with the keys of this generation only. */
  serve(redirectUri, generation) {
    const provider = new OidcProvider(this.issuer, {
      jwks: { keys: keys(generation) },
      cookies: { keys: ['of the tests'] },
      clients: [
        {
          client_id: 'signpost',
          application_type: 'native',
          token_endpoint_auth_method: 'none',
          redirect_uris: [redirectUri],
        },
        {
          client_id: 'ci',
          client_secret: CLIENT_SECRET,
          grant_types: ['client_credentials'],
          redirect_uris: [],
          response_types: [],
        },
      ],
      claims: { openid: ['sub'], groups: ['groups'] },
      conformIdTokenClaims: false,
      findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, groups: [`team-${id}`, 'everybody'] }) }),
      pkce: { required: () => true },
      features: {
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_, resource) => ({
            scope: 'use',
            audience: resource.endsWith('/other') ? 'other' : AUDIENCE,
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg: resource.includes('/es256') ? 'ES256' : 'RS256' } },
          }),
        },
      },
      ttl: { ClientCredentials: 300, IdToken: () => this.idTokenSeconds },
    });
    this.callback = provider.callback();
  }

  handle(request, response) {
    this.requests.push(request.url);
    this.callback(request, response);
  }

  /** The access token of a machine, which is a JWT. */
  async token(resource) {
    const response = await fetch(`${this.issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`ci:${CLIENT_SECRET}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'use', resource: `urn:files/${resource}` }),
    });
    const body = await response.json();
    if (!body.access_token) throw new Error(JSON.stringify(body));
    return body.access_token;
  }

  stop() {
    this.server.close();
    this.server.closeAllConnections();
  }
}
