"""The CapabilityStatement and the OperationDefinition are valid R4 and say what the service does."""

from __future__ import annotations

from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationdefinition import OperationDefinition

from adapter.terminology.systems import BASE
from adapter.web.fhir_documents import capability_statement, operation_definition

DEFINITION = operation_definition(BASE, "1.2.3")
STATEMENT = capability_statement(BASE, "1.2.3")


def test_the_definition_is_valid() -> None:
    made = OperationDefinition.model_validate(DEFINITION)

    assert (made.kind, made.system, made.type, made.instance) == ("operation", True, False, False)
    assert {(one.name, one.use, one.type) for one in made.parameter} == {
        ("bundle", "in", "Bundle"),
        ("complete", "in", "boolean"),
        ("return", "out", "Bundle"),
    }


def test_the_operation_stores_nothing() -> None:
    assert DEFINITION["affectsState"] is False


def test_the_statement_is_valid_and_of_this_instance() -> None:
    made = CapabilityStatement.model_validate(STATEMENT)

    assert (made.kind, made.fhirVersion) == ("instance", "4.0.1")
    assert made.software.version == "1.2.3"


def test_the_statement_names_the_definition() -> None:
    [rest] = STATEMENT["rest"]

    assert rest["operation"] == [{"name": DEFINITION["code"], "definition": DEFINITION["url"]}]


def test_both_say_who_answers_for_the_result() -> None:
    said = (DEFINITION["description"], STATEMENT["implementation"]["description"])

    assert all("Not verified by a pathologist" in one for one in said)
