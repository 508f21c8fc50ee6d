"""Compares the JSON report of an audit of moto with what seed put there."""

import json
import sys

text = open(sys.argv[1], encoding="utf-8").read()
report = json.loads(text)
roles = {role["name"]: role for role in report["roles"]}
failures = []


def expect(what, got, want):
    if got != want:
        failures.append(f"{what}: {got!r}, not {want!r}")


expect("account", report["account"], {"id": "123456789012", "partition": "aws"})
expect("complete", report["complete"], False)
expect("regions read", report["regions"]["read"], ["eu-west-1", "us-east-1"])
expect("roles", sorted(roles), ["bounded", "idle", "narrow", "wide"])
expect("jobs in all", report["summary"]["jobs"], 5)
expect("a hyperparameter's value in the report", "SECRET-MUST-NOT-LEAK" in text, False)

gaps = {(gap["source"], gap["impact"]) for gap in report["gaps"]}
expect("a usage gap for LookupEvents", ("cloudtrail:LookupEvents", "usage") in gaps, True)
expect("gaps of roles or jobs", sorted(g for g in gaps if g[1] in ("roles", "jobs") and g[0] != "account:ListRegions"), [])

for name, total in {"narrow": 2, "wide": 2, "bounded": 1, "idle": 0}.items():
    role = roles[name]
    expect(f"{name}: jobs", role["jobs"]["total"], total)
    # Without Event history nothing can be called unused.
    expect(f"{name}: unused", role["unused"]["count"], 0)
    counts = role["counts"]
    verdicts = ("used", "required", "blocked", "unused", "unobservable")
    expect(f"{name}: sum of verdicts", sum(counts[v] for v in verdicts), counts["granted"])
    if total:
        proof = role["proposal"]["proof"]
        expect(f"{name}: status of the proposal", proof["status"], "partial")
        expect(f"{name}: widens nothing", proof["widensNothing"], True)
        expect(f"{name}: reasons", bool(proof["reasons"]), True)
        expect(f"{name}: readiness", role["readiness"], "confirm")

expect("narrow: granted", roles["narrow"]["granted"]["effective"], 10)
expect("idle: granted", roles["idle"]["granted"]["effective"], 0)
expect("wide: services hold sagemaker and s3", {"s3", "sagemaker"} <= set(roles["wide"]["granted"]["services"]), True)
expect("wide: policies", sorted((p["kind"], p["name"]) for p in roles["wide"]["policies"]),
       [("inline", "s3"), ("managed", "AmazonSageMakerFullAccess")])
expect("bounded: effective services", roles["bounded"]["granted"]["services"], ["s3"])
expect("bounded: identity grants more", roles["bounded"]["granted"]["identity"] > roles["bounded"]["granted"]["effective"], True)

proposed = {}
for policy in roles["wide"]["proposal"]["policies"]:
    for statement in policy["document"]["Statement"]:
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            proposed.setdefault(action, set()).update(
                [statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"])
expect("wide: proposal has no wildcard action", [a for a in proposed if "*" in a], [])
expect("wide: proposed reads", proposed.get("s3:GetObject"), {"arn:aws:s3:::wide/train/*"})
expect("wide: proposed writes", proposed.get("s3:PutObject"), {"arn:aws:s3:::wide/models/*"})
expect("wide: proposed lists", proposed.get("s3:ListBucket"), {"arn:aws:s3:::wide"})
expect("wide: proposed pulls", proposed.get("ecr:BatchGetImage"), {
    "arn:aws:ecr:eu-west-1:123456789012:repository/wide", "arn:aws:ecr:us-east-1:123456789012:repository/wide"})

for failure in failures:
    print("FAIL:", failure)
sys.exit(bool(failures))
