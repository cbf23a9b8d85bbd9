"""What cloudfront.yaml leads to: nothing is cached or lost on the way, and it fits before each front of template.yaml."""

import sys
import traceback
from urllib.parse import urlsplit

from stacks import Distribution, Refused, Stack, check_parameter

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


def it_fits_before_each_front():
    for front, stage in zip(FRONTS, STAGES):
        url = Stack(NAMES, **front).outputs["Url"]
        (origin,) = configuration(OriginUrl=url)["Origins"]
        assert origin["DomainName"] == urlsplit(url).hostname, front
        assert origin["OriginPath"] == stage, front


def the_public_url_is_one_that_signpost_takes():
    for given, url in [({}, "https://d111111abcdef8.cloudfront.net"), (DOMAIN, "https://files.example.com")]:
        told = distribution(**given).outputs["PublicUrl"]
        assert told == url
        for name in ("PublicUrl", "CorsOrigins"):
            check_parameter(name, Stack.declared[name], told)
        assert Stack(PublicUrl=told).the("AWS::Lambda::Function")["Environment"]["Variables"]["SIGNPOST_PUBLIC_URL"] == url


def it_caches_nothing_and_changes_nothing():
    (behavior,) = (configuration()["DefaultCacheBehavior"],)
    assert "CacheBehaviors" not in configuration() and "CustomErrorResponses" not in configuration()
    assert behavior["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "CachingDisabled"
    assert behavior["OriginRequestPolicyId"] == "b689b0a8-53d0-40ab-baf2-68738e2966ac", "AllViewerExceptHostHeader"
    assert not behavior["Compress"]
    assert not any(name in behavior for name in ("FunctionAssociations", "LambdaFunctionAssociations", "ResponseHeadersPolicyId"))
    # The only sets that CloudFront knows are those of two, three and seven.
    assert set(behavior["AllowedMethods"]) == {"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"}


def every_hop_is_encrypted():
    for given in ({}, DOMAIN):
        config = configuration(**given)
        assert config["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "https-only"
        assert config["Origins"][0]["CustomOriginConfig"] == {"OriginProtocolPolicy": "https-only", "OriginSSLProtocols": ["TLSv1.2"]}
    assert config["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"


def a_domain_needs_its_certificate_and_may_have_its_records():
    try:
        distribution(DomainName="files.example.com")
    except Refused:
        pass
    else:
        raise AssertionError("a domain without a certificate")
    assert configuration(**DOMAIN)["Aliases"] == ["files.example.com"]
    assert "Aliases" not in configuration()
    assert not distribution(**DOMAIN).of_type("AWS::Route53::RecordSetGroup")
    records = distribution(**DOMAIN, HostedZoneId="Z0123456789").the("AWS::Route53::RecordSetGroup")["RecordSets"]
    assert [(record["Type"], record["AliasTarget"]["DNSName"]) for record in records] == [(kind, NAMES["Distribution.DomainName"]) for kind in ("A", "AAAA")]


def a_web_acl_stands_before_it():
    assert configuration(WebAclArn=WEB_ACL)["WebACLId"] == WEB_ACL
    assert "WebACLId" not in configuration()


def main():
    passed = failed = 0
    for test in (
        it_fits_before_each_front,
        the_public_url_is_one_that_signpost_takes,
        it_caches_nothing_and_changes_nothing,
        every_hop_is_encrypted,
        a_domain_needs_its_certificate_and_may_have_its_records,
        a_web_acl_stands_before_it,
    ):
        try:
            test()
            passed += 1
        except Exception:
            print(f"FAIL {test.__name__}\n{traceback.format_exc(limit=-1)}")
            failed += 1
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
