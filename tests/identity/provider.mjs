// A certified OpenID provider on loopback, whose keys can be replaced while it runs.

import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import { Provider } from 'oidc-provider'

export const AUDIENCE = 'files'
const SECRET = 'the-secret-of-the-ci-client'

const key = (kid, type, options, alg) => {
  const { privateKey } = generateKeyPairSync(type, options)
  return { ...privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig' }
}

const pair = (generation) => [
  key(`rsa-${generation}`, 'rsa', { modulusLength: 2048 }, 'RS256'),
  key(`ec-${generation}`, 'ec', { namedCurve: 'P-256' }, 'ES256'),
]

export class Idp {
  static async start() {
    const idp = new Idp()
    idp.server = createServer((request, response) => idp.handle(request, response))
    await new Promise((listening) => idp.server.listen(0, '127.0.0.1', listening))
    idp.issuer = `http://127.0.0.1:${idp.server.address().port}`
    idp.idTokenLife = 3600
    idp.requests = []
    return idp
  }

  // Serves for the client whose redirect URI this is, with keys of this generation alone.
  serve(redirectUri, generation) {
    const provider = new Provider(this.issuer, {
      jwks: { keys: pair(generation) },
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
          client_secret: SECRET,
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
      ttl: { ClientCredentials: 300, IdToken: () => this.idTokenLife },
    })
    this.callback = provider.callback()
  }

  handle(request, response) {
    this.requests.push(request.url)
    this.callback(request, response)
  }

  // A machine's access token: a JWT.
  async token(resource) {
    const response = await fetch(`${this.issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`ci:${SECRET}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'use', resource: `urn:files/${resource}` }),
    })
    const told = await response.json()
    if (!told.access_token) throw new Error(JSON.stringify(told))
    return told.access_token
  }

  stop() {
    this.server.close()
    this.server.closeAllConnections()
  }
}
