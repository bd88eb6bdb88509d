"""SMART Backend Services: tokens for a client that no person sits at, by a signed assertion.

Source: HL7 SMART App Launch 2.2, backend-services and client-confidential-asymmetric.
"""

from adapter.transport.smart.auth import SmartAuth
from adapter.transport.smart.endpoint import SmartClient, TokenEndpoint
from adapter.transport.smart.keys import KeyFile
from adapter.transport.smart.scopes import ScopeReport, compare

__all__ = ["KeyFile", "ScopeReport", "SmartAuth", "SmartClient", "TokenEndpoint", "compare"]
