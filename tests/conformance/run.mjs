// Runs http-cache-tests against a base URL and holds the results against the list of expected failures.
//
//   node run.mjs SUITE-FOLDER BASE-URL EXPECTED.json RESULTS.json
//
// Prints passed of total for each kind and group and every failure with its reason. Exit code 0 only if every required and
// every optimal test passed and every check was answered with yes, but for those in EXPECTED.json; a listed test that passes is an
// error too.
import { readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { resolve } from 'node:path'

const [folder, base, expectedFile, resultsFile] = process.argv.slice(2)
const load = async file => import(pathToFileURL(resolve(folder, file)))

// A test whose prerequisite failed says nothing: it is neither passed nor failed.
function verdicts (suites, results) {
  const tests = new Map(suites.flatMap(suite => suite.tests.map(test => [test.id, test])))
  const known = new Map()
  const verdict = id => {
    if (known.has(id)) return known.get(id)
    const test = tests.get(id)
    const result = results[id]
    let found
    if (result === undefined) found = 'untested'
    else if ((test.depends_on ?? []).some(other => !['pass', 'yes'].includes(verdict(other)))) found = 'dependency'
    else if (result === true) found = test.kind === 'check' ? 'yes' : 'pass'
    else if (result[0] === 'Setup') found = 'setup'
    else if (test.kind === 'check') found = 'no'
    else found = 'fail'
    known.set(id, found)
    return found
  }
  for (const id of tests.keys()) verdict(id)
  return known
}

function table (suites, found) {
  const kinds = ['required', 'optimal', 'check']
  const rows = []
  const totals = Object.fromEntries(kinds.map(kind => [kind, { passed: 0, total: 0 }]))
  for (const suite of suites) {
    const row = { group: suite.name }
    for (const test of suite.tests) {
      const verdict = found.get(test.id)
      if (verdict === 'untested') continue
      const kind = test.kind ?? 'required'
      const cell = (row[kind] ??= { passed: 0, total: 0 })
      const passed = ['pass', 'yes'].includes(verdict) ? 1 : 0
      cell.passed += passed
      cell.total += 1
      totals[kind].passed += passed
      totals[kind].total += 1
    }
    rows.push(row)
  }
  return { rows, totals }
}

const cell = of => (of ? `${of.passed}/${of.total}` : '-').padStart(9)
const print = ({ rows, totals }) => {
  console.log(`${'group'.padEnd(44)}${'required'.padStart(9)}${'optimal'.padStart(9)}${'check'.padStart(9)}`)
  for (const row of [...rows, { group: 'all', ...totals }]) {
    console.log(`${row.group.slice(0, 43).padEnd(44)}${cell(row.required)}${cell(row.optimal)}${cell(row.check)}`)
  }
}

const fetch = (await load('node_modules/node-fetch/lib/index.js').catch(() => load('../node-fetch/lib/index.js'))).default
const suites = (await load('tests/index.mjs')).default
const surrogate = (await load('tests/surrogate-control.mjs')).default
if (!suites.includes(surrogate)) suites.push(surrogate)
const { runTests, getResults } = await load('client/runner.mjs')

const chatter = console.log
console.log = () => {}
await runTests(suites, fetch, false, base)
console.log = chatter

const results = getResults()
const found = verdicts(suites, results)
const summary = table(suites, found)
const expected = JSON.parse(readFileSync(expectedFile, 'utf8'))
const failures = []
for (const suite of suites) {
  for (const test of suite.tests) {
    const verdict = found.get(test.id)
    if (['fail', 'setup', 'dependency', 'no'].includes(verdict)) {
      const kind = test.kind ?? 'required'
      failures.push({ id: test.id, kind, group: suite.name, name: test.name, verdict, reason: results[test.id]?.[1] ?? '' })
    }
  }
}
print(summary)
console.log('\nfailures:')
for (const failure of failures) {
  const why = expected[failure.id] ? ` (expected: ${expected[failure.id]})` : ''
  console.log(`  ${failure.kind} ${failure.verdict} ${failure.id}: ${failure.reason}${why}`)
}
const unexpected = failures.filter(failure => !(failure.id in expected))
const passedAfterAll = Object.keys(expected).filter(id => !failures.some(failure => failure.id === id))
writeFileSync(resultsFile, JSON.stringify({ totals: summary.totals, groups: summary.rows, failures, results }, null, 2) + '\n')
for (const failure of unexpected) console.log(`UNEXPECTED FAILURE ${failure.id}: ${failure.name}`)
for (const id of passedAfterAll) console.log(`UNEXPECTED PASS ${id}: take it off the list of expected failures`)
const counts = ['required', 'optimal', 'check'].map(kind => `${kind} ${summary.totals[kind].passed}/${summary.totals[kind].total}`)
console.log(`\n${counts.join(', ')}`)
// The suite keeps connections open.
process.exit(unexpected.length + passedAfterAll.length > 0 ? 1 : 0)
