"""The web for what comes from a fleet's bus: signed requests, and nothing else says who asks.

A bus hides nothing and tells no address, so no proxy is believed there, and no path is put before ours.
"""

from msgspec.structs import replace

from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.config.configuration import Configuration
from cmdserver.core.addresses import FLEET, NO_PROXIES
from cmdserver.frontends.common.examples import Place, Trial
from cmdserver.frontends.common.front_end import FrontEnd
from cmdserver.frontends.common.interface import CertificateOf, FrontEndContext, FrontEndResources
from cmdserver.frontends.web.front_end import WebFrontEnd
from cmdserver.frontends.web.options import WebOptions
from cmdserver.frontends.web.signed.signed_requests import signer_of


class SignedFrontEnd(WebFrontEnd):
    """What all connections of a host's agent share."""

    has_open_addresses = False

    @staticmethod
    def source_of(address: object) -> str:  # noqa: ARG004 - as `FrontEnd` has it
        """See `FrontEnd`."""
        return FLEET

    def example(self, place: Place, trial: Trial) -> str | None:  # noqa: ARG002 - as `FrontEnd` has it
        """See `FrontEnd`: people ask with ``cmdserver ask``, from elsewhere."""
        return None


def make(
    listener_auth: ListenerAuth,
    context: FrontEndContext,
    resources: FrontEndResources,
    certificate_of: CertificateOf | None,
) -> FrontEnd:
    """Make the front end of the socket that a host's agent connects to."""
    return SignedFrontEnd(
        listener_auth,
        context,
        resources.latest(_options),
        resources.exposition(),
        signer_of(resources),
        certificate_of,
        trends=resources.trends(),
    )


def _options(configuration: Configuration) -> WebOptions:
    return replace(WebOptions.of(configuration), base_path="", trusted_proxies=NO_PROXIES, hook_body_bytes=0)
