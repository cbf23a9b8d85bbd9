// A reporter for node's test runner: one line per test, the reason of each failure, and the closing line of all suites.
export default async function* report(source) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for await (const { type, data } of source) {
    if (type === 'test:stdout' || type === 'test:stderr') yield data.message;
    if (!['test:pass', 'test:fail'].includes(type) || data.details.type === 'suite') continue;
    const outcome = data.skip !== undefined ? 'skipped' : type === 'test:pass' ? 'passed' : 'failed';
    counts[outcome] += 1;
    yield `${outcome.padEnd(7)} ${(data.details.duration_ms / 1000).toFixed(1).padStart(6)} s  ${data.name}${reason(data.skip)}\n`;
    if (outcome === 'failed') yield `${describe(data.details.error.cause ?? data.details.error)}\n`;
  }
  yield `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`;
}

const reason = (skip) => (typeof skip === 'string' ? `: ${skip}` : '');

const describe = ({ message, stack = '' }) => [message, ...stack.split('\n').filter((line) => /^ +at .*file:/.test(line))].join('\n');
