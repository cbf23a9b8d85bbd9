"""Properties of cloudfront.yaml: CloudFront caches and changes nothing, and works with each front of template.yaml."""

import sys
import traceback
from urllib.parse import urlsplit

from stacks import ROOT, Distribution, InvalidParameters, Stack, check_parameter

sys.path.insert(0, str(ROOT / "tests"))

from lib.results import Results  # noqa: E402

CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/0123-abcd"
DOMAIN = {"DomainName": "files.example.com", "CertificateArn": CERTIFICATE}
WEB_ACL = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/signpost/0123-abcd"
NAMES = {
    "RestApi": "5h7pqvr9u4",
    "HttpApi": "sjzepsqsu5",
    "FunctionUrl.FunctionUrl": "https://2cxn22odiwguak4feg4jtt7cwm0ziblr.lambda-url.eu-central-1.on.aws/",
    "Distribution.DomainName": "d111111abcdef8.cloudfront.net",
}
FRONTS = [{"Front": "rest"}, {"Front": "http-api"}, {"Front": "http-api", "HttpStageName": "live"}, {"Front": "function-url"}]
STAGES = ["/live", "", "/live", ""]
URL = "https://5h7pqvr9u4.execute-api.eu-central-1.amazonaws.com/live/"


def configuration(**given):
    return distribution(**given).the("AWS::CloudFront::Distribution")["DistributionConfig"]


def distribution(**given):
    return Distribution(NAMES, **{"OriginUrl": URL} | given)


def it_works_with_each_front():
    for front, stage in zip(FRONTS, STAGES):
        url = Stack(NAMES, **front).outputs["Url"]
        (origin,) = configuration(OriginUrl=url)["Origins"]
        assert origin["DomainName"] == urlsplit(url).hostname, front
        assert origin["OriginPath"] == stage, front


def the_public_url_is_valid_for_signpost():
    for given, url in [({}, "https://d111111abcdef8.cloudfront.net"), (DOMAIN, "https://files.example.com")]:
        public_url = distribution(**given).outputs["PublicUrl"]
        assert public_url == url
        for name in ("PublicUrl", "CorsOrigins"):
            check_parameter(name, Stack.declared[name], public_url)
        assert Stack(PublicUrl=public_url).the("AWS::Lambda::Function")["Environment"]["Variables"]["SIGNPOST_PUBLIC_URL"] == url


def it_caches_and_changes_nothing():
    (behavior,) = (configuration()["DefaultCacheBehavior"],)
    assert "CacheBehaviors" not in configuration() and "CustomErrorResponses" not in configuration()
    assert behavior["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "CachingDisabled"
    assert behavior["OriginRequestPolicyId"] == "b689b0a8-53d0-40ab-baf2-68738e2966ac", "AllViewerExceptHostHeader"
    assert not behavior["Compress"]
    assert not any(name in behavior for name in ("FunctionAssociations", "LambdaFunctionAssociations", "ResponseHeadersPolicyId"))
    # CloudFront supports only fixed sets of two, three or seven methods.
    assert set(behavior["AllowedMethods"]) == {"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"}


def every_connection_is_encrypted():
    for given in ({}, DOMAIN):
        config = configuration(**given)
        assert config["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "https-only"
        assert config["Origins"][0]["CustomOriginConfig"] == {"OriginProtocolPolicy": "https-only", "OriginSSLProtocols": ["TLSv1.2"]}
    assert config["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2025"
    # CloudFront does not accept a minimum for its own certificate, so the description of the parameter names the consequence.
    assert configuration()["ViewerCertificate"] == {"CloudFrontDefaultCertificate": True}
    assert "TLS 1.0" in Distribution.declared["DomainName"]["Description"]


def a_domain_requires_a_certificate_and_can_have_records():
    try:
        distribution(DomainName="files.example.com")
    except InvalidParameters:
        pass
    else:
        raise AssertionError("a domain without a certificate was accepted")
    assert configuration(**DOMAIN)["Aliases"] == ["files.example.com"]
    assert "Aliases" not in configuration()
    assert not distribution(**DOMAIN).of_type("AWS::Route53::RecordSetGroup")
    records = distribution(**DOMAIN, HostedZoneId="Z0123456789").the("AWS::Route53::RecordSetGroup")["RecordSets"]
    assert [(record["Type"], record["AliasTarget"]["DNSName"]) for record in records] == [(kind, NAMES["Distribution.DomainName"]) for kind in ("A", "AAAA")]


def a_web_acl_is_attached():
    assert configuration(WebAclArn=WEB_ACL)["WebACLId"] == WEB_ACL
    assert "WebACLId" not in configuration()


TESTS = [
    it_works_with_each_front,
    the_public_url_is_valid_for_signpost,
    it_caches_and_changes_nothing,
    every_connection_is_encrypted,
    a_domain_requires_a_certificate_and_can_have_records,
    a_web_acl_is_attached,
]


def main():
    results = Results(quiet=True)
    for test in TESTS:
        results.run(test.__name__, test, describe=lambda _: traceback.format_exc(limit=-1))
    return results.close()


if __name__ == "__main__":
    sys.exit(main())
