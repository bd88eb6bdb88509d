"""Habits with bundles of writes: refused, capped, or taken apart."""

from __future__ import annotations

from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse
from adapter.sandbox.habits.asking import edited, interaction_of
from adapter.sandbox.habits.habit import Habit, Often, Scene, Sometimes, WithStatus, chosen, whole
from adapter.sandbox.habits.statement import without_interaction
from adapter.sandbox.json_text import JsonObject, NotJson, read_json
from adapter.sandbox.outcomes import Refused, outcome
from adapter.sandbox.replies import plain_response


def _bundle_in(request: FhirRequest) -> JsonObject:
    if interaction_of(request) == "bundle":
        try:
            bundle = read_json(request.body)
        except NotJson:
            return {}
        if isinstance(bundle, dict):
            return bundle
    return {}


class _RefusedBundles(WithStatus):
    default = "405"
    refused = frozenset[str]()

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Refuse them."""
        kind = _bundle_in(request).get("type")
        if kind not in self.refused:
            return answer(request)
        return plain_response(self._status, outcome("not-supported", f"no {kind} here"))

    def statement(self, statement: JsonObject) -> JsonObject:
        """Say so."""
        return without_interaction(statement, *self.refused)


class NoTransactions(_RefusedBundles):
    """Batches at most."""

    name = "no-transactions"
    does = "a transaction is refused with STATUS; a batch is taken"
    seen = "Epic; Azure API for FHIR on Cosmos DB; R4 does not expect every server to have them"
    refused = frozenset({"transaction"})


class NoBatches(_RefusedBundles):
    """No bundles at all."""

    name = "no-batches"
    does = "a batch is refused with STATUS; with no-transactions the base takes nothing"
    seen = "servers that offer single requests only"
    refused = frozenset({"batch"})


class TransactionsAsBatches(Habit):
    """Not all or nothing, and it looks as if."""

    name = "transactions-as-batches"
    does = "a transaction is carried out entry by entry and answered 200, failed entries inside, as TYPE"
    seen = "Medplum pull request 9506 (unless a project has real transactions); fhirbase issue 124"
    takes = "transaction-response|batch-response"
    default = "transaction-response"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        chosen(value, "transaction-response", "batch-response")

    def transaction_answer(self) -> str:
        """Answer with this type."""
        return self.value


class ThrottledEntries(Habit):
    """429 inside of 200."""

    name = "throttled-entries"
    does = "one entry in OFTEN of a batch, or of a transaction taken as one, is answered 429 inside of 200"
    seen = "Medplum pull request 9506; Microsoft FHIR Server issues 1658 and 5670; LinuxForHealth issue 747"
    takes = "OFTEN"
    default = "3"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        self._often = Often(value, scene.random)

    def batch_entry(self) -> None:
        """Refuse it when it is time for it."""
        if self._often.now():
            raise Refused(429, "throttled", "too many requests")


class BundleCap(Habit):
    """So many entries and no more."""

    name = "bundle-cap"
    does = "a bundle of more than NUMBER entries is refused with 413 and the code too-costly"
    seen = "AWS HealthLake (160), Azure (500), Medplum (50 updates in a transaction)"
    takes = "NUMBER"
    default = "160"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        self._limit = whole(value)

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Refuse what is too large."""
        entries = _bundle_in(request).get("entry", [])
        if isinstance(entries, list) and len(entries) > self._limit:
            said = f"a bundle holds at most {self._limit} entries"
            return plain_response(413, outcome("too-costly", said))
        return answer(request)


class GarbledBundleAnswers(Sometimes):
    """Done, and nobody can say how much of it."""

    name = "garbled-bundle-answers"
    does = (
        "one bundle in OFTEN is carried out, and its answer lacks an entry (short), the statuses (no-status) or the "
        "locations (no-location), has them in another order (order), or is an OperationOutcome (outcome)"
    )
    seen = "Microsoft FHIR Server issues 5670 and 1658; fhirbase issue 124"
    takes = "OFTEN[:short|no-status|no-location|order|outcome]"
    kinds = ("short", "no-status", "no-location", "order", "outcome")

    def concerns(self, request: FhirRequest) -> bool:
        """Concern bundles of writes only."""
        return interaction_of(request) == "bundle"

    def spoiled(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Do it, and say it badly."""
        return edited(answer(request), self._garbled)

    def _garbled(self, bundle: JsonObject) -> JsonObject:
        entries = list(bundle.get("entry", ()))
        match self.kind:
            case "outcome":
                return outcome("exception", "an error of the server itself")
            case "short":
                entries = entries[:-1]
            case "order":
                entries = entries[::-1]
            case kind:
                element = kind.removeprefix("no-")
                entries = [_entry_without(entry, element) for entry in entries]
        return {**bundle, "entry": entries}


def _entry_without(entry: JsonObject, element: str) -> JsonObject:
    response = {name: value for name, value in entry["response"].items() if name != element}
    return {**entry, "response": response}


HABITS: tuple[type[Habit], ...] = (
    GarbledBundleAnswers,
    NoTransactions,
    NoBatches,
    BundleCap,
    TransactionsAsBatches,
    ThrottledEntries,
)
