"""Who made a version of a derived Observation, from what: Provenance, Device, and the transaction.

Every resource that leaves passes `transaction_entry`, which refuses what is not valid FHIR R4; the
dict that was checked is the dict that is sent. A bundle is made once and kept as bytes: a retry
must repeat them, or a second version of the Provenance would appear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from fhir.resources.R4B.device import Device
from fhir.resources.R4B.observation import Observation
from fhir.resources.R4B.provenance import Provenance
from pydantic import ValidationError

from adapter.errors import InvalidRecord
from adapter.fhir.identity import device_id, fingerprint, provenance_id
from adapter.fhir.record.components import coding
from adapter.fhir.record.derive import DeriveContext, instant, reference_to_device
from adapter.fhir.record.record_rules import rule_problems
from adapter.fhir.record.sources import SourceFacts
from adapter.fhir.strict_json import write_json
from adapter.her2.model import Link
from adapter.her2.policy import departures
from adapter.terminology.systems import (
    CASE_IDENTIFIER_SYSTEM,
    DEVICE_IDENTIFIER_SYSTEM,
    MAPPINGS_POLICY,
    POLICY_BASE,
    PROVENANCE_KEY_SYSTEM,
    SOURCE_CONTENT_HASH_EXTENSION,
)

JsonObject = dict[str, Any]

KEEP_VERSIONS: Final = "http://hapifhir.io/fhir/StructureDefinition/auto-version-references-at-path"
"""Asks HAPI to keep versions in references at this path; without it they are stripped."""

_MODELS: Final[Mapping[str, Any]] = {
    "Observation": Observation,
    "Provenance": Provenance,
    "Device": Device,
}


def provenance(
    observation: Mapping[str, Any],
    *,
    replaced: str | None,
    sources: Sequence[SourceFacts],
    context: DeriveContext,
    joined_by: Sequence[Link] = (),
) -> JsonObject:
    """Make the Provenance of one version of a derived Observation, for the same transaction.

    Args:
        observation: the version that is written.
        replaced: versionId of the version it replaces, or None when nothing stood there.
        sources: facts of every source used; on a withdrawal those that the server still has.
        context: see DeriveContext.
        joined_by: a person's links that joined the sample: each becomes a reason, who, when and why.

    Source: docs/output.md, Provenance.

    """
    key = provenance_key(observation, replaced=replaced, context=context)
    kept = ["entity.what", "target"] if context.keep_target_version else ["entity.what"]
    meta: JsonObject = {"extension": [{"url": KEEP_VERSIONS, "valueString": path} for path in kept]}
    if context.server_assigns_ids:
        meta["tag"] = [{"system": PROVENANCE_KEY_SYSTEM, "code": key}]
    agent: JsonObject = {
        "type": {"coding": [coding(context.output.assembler)]},
        "who": reference_to_device(context),
    }
    if context.organization:
        agent["onBehalfOf"] = {"reference": context.organization}
    made: JsonObject = {
        "resourceType": "Provenance",
        "id": key,
        "meta": meta,
        "target": [{"reference": _target(observation, replaced, context)}],
        "occurredDateTime": instant(context.now),
        "recorded": instant(context.now),
        "policy": policies_of(context),
        "reason": [_joined(link, context) for link in joined_by],
        "activity": {"coding": [_activity(observation, replaced, context)]},
        "agent": [agent],
    }
    entities = [
        _entity(source, context) for source in sorted(sources, key=lambda one: one.reference)
    ]
    made["entity"] = entities
    # FHIR knows no empty list.
    return {key: value for key, value in made.items() if value != []}


def missing_provenance(
    observation: Mapping[str, Any],
    *,
    version: str | None,
    sources: Sequence[SourceFacts],
    context: DeriveContext,
) -> JsonObject:
    """Make the Provenance that a version which stands does not have: the process died, and its state is lost too.

    It occurred when that version was issued, and is recorded now. `version`: the versionId that stands; with it the
    key is that of no Provenance written beside its Observation, because nothing replaces a version by its own content.

    Source: docs/output.md, Provenance; row B7.
    """
    made = provenance(observation, replaced=version or "", sources=sources, context=context)
    return {**made, "occurredDateTime": str(observation.get("issued") or instant(context.now))}


def keyed_by_time(
    made: JsonObject, observation: Mapping[str, Any], context: DeriveContext
) -> JsonObject:
    """Give a Provenance of a new result a key of this very write.

    A conditional update that meets what another writer has just created makes a second version of it, so that two
    writers need two Provenances. A retry sends the same bytes, and with them the same key.
    """
    said = fingerprint(observation, base_urls=context.base_urls)
    key = provenance_id(str(observation["id"]), f"new {observation.get('issued')}", said)
    tags = [{"system": PROVENANCE_KEY_SYSTEM, "code": key}]
    return {**made, "id": key, "meta": {**made["meta"], "tag": tags}}


def provenance_key(
    observation: Mapping[str, Any], *, replaced: str | None, context: DeriveContext
) -> str:
    """Give the id and key of this version's Provenance: a retry repeats it, A → B → A does not."""
    said = fingerprint(observation, base_urls=context.base_urls)
    return provenance_id(str(observation["id"]), replaced, said)


def device(version: str, *, is_identified: bool = False) -> JsonObject:
    """Make the Device that stands for one version of this software; the same at every call.

    `is_identified`: the server gives the id, so that it carries an identifier to be found again by.
    """
    name = device_id(version)
    identifier = [{"system": DEVICE_IDENTIFIER_SYSTEM, "value": name}]
    return {
        "resourceType": "Device",
        "id": name,
        **({"identifier": identifier} if is_identified else {}),
        "status": "active",
        "deviceName": [{"name": "HER2 adapter", "type": "user-friendly-name"}],
        "type": {"text": "Software that derives HER2 categories from laboratory results by rule"},
        "version": [{"value": version}],
    }


def check_record(resource: Mapping[str, Any]) -> list[str]:
    """List everything that makes a resource of ours invalid FHIR R4; empty when it is valid.

    First the R4B model of fhir.resources, then the rules that the models do not enforce. Problems
    are "path: what", without contents.
    """
    model = _MODELS.get(str(resource.get("resourceType")))
    if model is None:
        return ["resourceType: not one that the adapter writes"]
    try:
        validated = model.model_validate(dict(resource))
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False, include_context=False)
        return [f"{'.'.join(map(str, one['loc']))}: {one['type']}" for one in found]
    return rule_problems(resource, validated)


def transaction_entry(resource: JsonObject, if_match: str | None = None) -> JsonObject:
    """Make the entry of a transaction that puts a resource under its own id.

    Args:
        resource: an Observation, Provenance or Device of ours.
        if_match: versionId that must stand there (for updates), or None.

    Raises:
        InvalidRecord: when it is not valid FHIR R4; nothing of it may be sent.

    """
    _refuse_invalid(resource)
    url = f"{resource['resourceType']}/{resource['id']}"
    request: JsonObject = {"method": "PUT", "url": url}
    if if_match is not None:
        request["ifMatch"] = f'W/"{if_match}"'
    return {"resource": resource, "request": request}


def conditional_entry(resource: JsonObject, *, update: bool = False) -> JsonObject:
    """Make the entry for a server that lets nobody choose ids: found by its key, not by its id.

    An Observation goes by its case identifier (`update` chooses between conditional update and
    create), a Device by its own, a Provenance by the tag that holds its key. References inside the
    bundle to the resource go to the entry's fullUrl, "urn:uuid:<id>".

    Raises:
        InvalidRecord: when it is not valid FHIR R4, or has no key to be found by.

    """
    _refuse_invalid(resource)
    kind, full_url = str(resource["resourceType"]), f"urn:uuid:{resource['id']}"
    body = {key: value for key, value in resource.items() if key != "id"}
    query = _key_query(resource)
    if update:
        request = {"method": "PUT", "url": f"{kind}?{query}"}
    else:
        request = {"method": "POST", "url": kind, "ifNoneExist": query}
    return {"fullUrl": full_url, "resource": body, "request": request}


def frozen_bundle_body(entries: Sequence[JsonObject]) -> bytes:
    """Make the bytes of a transaction: what is stored, and what every retry sends.

    Raises:
        ValueError: when two entries would write the same resource (servers drop one silently).

    """
    urls = [(entry["request"]["url"], entry["request"].get("ifNoneExist")) for entry in entries]
    if len(set(urls)) != len(urls):
        raise ValueError("a transaction writes the same resource twice")
    return write_json({"resourceType": "Bundle", "type": "transaction", "entry": list(entries)})


def _refuse_invalid(resource: Mapping[str, Any]) -> None:
    problems = check_record(resource)
    if problems:
        raise InvalidRecord(f"{resource.get('resourceType')}/{resource.get('id')}", problems)


def _key_query(resource: Mapping[str, Any]) -> str:
    """Give the search that finds exactly this resource, values encoded for a URL."""
    for identifier in resource.get("identifier", []):
        system = identifier["system"]
        if system in (CASE_IDENTIFIER_SYSTEM, DEVICE_IDENTIFIER_SYSTEM):
            return f"identifier={quote(system, safe='')}%7C{identifier['value']}"
    for tag in resource.get("meta", {}).get("tag", []):
        if tag["system"] == PROVENANCE_KEY_SYSTEM:
            return f"_tag={quote(PROVENANCE_KEY_SYSTEM, safe='')}%7C{tag['code']}"
    reference = f"{resource['resourceType']}/{resource['id']}"
    raise InvalidRecord(reference, ["neither identifier nor tag to be found by"])


def _target(observation: Mapping[str, Any], replaced: str | None, context: DeriveContext) -> str:
    """Refer to the Observation, or to its entry where the server has yet to choose its id."""
    unknown_yet = context.server_assigns_ids and replaced is None
    return f"{'urn:uuid:' if unknown_yet else 'Observation/'}{observation['id']}"


def policies_of(context: DeriveContext) -> list[str]:
    """Name the policy, the site's choices in it, and the mappings, as URIs without blanks."""
    policy = f"{POLICY_BASE}/{quote(context.policy.name, safe='')}"
    named = [(policy, context.policy.version)]
    named.extend(
        (f"{policy}/{name.replace('_', '-')}", value)
        for name, value in departures(context.policy).items()
    )
    named.append((MAPPINGS_POLICY, context.mappings_version))
    named.extend((f"{MAPPINGS_POLICY}/overlay", version) for version in context.overlay_versions)
    return [f"{uri}|{quote(version, safe='+')}" for uri, version in named]


def _activity(
    observation: Mapping[str, Any], replaced: str | None, context: DeriveContext
) -> JsonObject:
    output = context.output
    if observation["status"] == "entered-in-error":
        return coding(output.activity_nullify)
    return coding(output.activity_create if replaced is None else output.activity_update)


def _joined(link: Link, context: DeriveContext) -> JsonObject:
    code = coding(context.output.joined_by_link)
    return {"coding": [code], "text": f"Joined by a person: {link.sentence}"}


def _entity(source: SourceFacts, context: DeriveContext) -> JsonObject:
    version = "" if source.version is None else f"/_history/{source.version}"
    return {
        "extension": [{"url": SOURCE_CONTENT_HASH_EXTENSION, "valueString": source.content_hash}],
        "role": context.output.entity_role,
        "what": {"reference": f"{source.reference}{version}"},
    }
