"""`endpoints.json`, with which the unit tests compare the endpoints of Signpost, is what the rule sets of this botocore say."""

import json

import endpoints


def test_the_table_of_endpoints_is_that_of_botocore():
    """`python endpoints.py` writes the table again."""
    assert json.loads(endpoints.FILE.read_text()) == list(endpoints.rows())


def test_the_table_contains_all_regions_and_partitions():
    known = list(endpoints.regions())
    assert len(known) >= 46 and {partition for partition, _ in known} >= {"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-eusc"}
    rows = json.loads(endpoints.FILE.read_text())
    assert {(row["partition"], row["region"]) for row in rows} == set(known)
    assert len(rows) == len(known) * len(endpoints.VARIANTS)
