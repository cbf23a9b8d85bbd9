// Redirects to a presigned URL with the AWS SDK v3. It contains its own runtime loop, because the official runtime client for
// Node compiles C++ when it is installed.

import { Agent, request } from 'node:http';
import {
  DeleteObjectCommand, GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';

const s3 = new S3Client({ region: process.env.AWS_REGION });
const commands = {
  GET: GetObjectCommand, HEAD: HeadObjectCommand, PUT: PutObjectCommand, DELETE: DeleteObjectCommand,
};

async function handle(event) {
  const key = decodeURIComponent(event.path.slice(1));
  const command = new commands[event.httpMethod]({ Bucket: process.env.SIGNPOST_BUCKET, Key: key });
  const url = await getSignedUrl(s3, command, { expiresIn: 300 });
  return { statusCode: 307, headers: { location: url }, body: '', isBase64Encoded: false };
}

const agent = new Agent({ keepAlive: true });
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const sent = request({ agent, host, port, method, path: `/2018-06-01/runtime/${path}`, headers }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(chunks).toString() }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

for (;;) {
  const invocation = await call('GET', 'invocation/next');
  const response = await handle(JSON.parse(invocation.body));
  const id = invocation.headers['lambda-runtime-aws-request-id'];
  await call('POST', `invocation/${id}/response`, JSON.stringify(response));
}
