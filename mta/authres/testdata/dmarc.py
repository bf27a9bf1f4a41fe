# What authheaders thinks of DMARC: one question a line in JSON, one answer a line.
import json, sys
import authheaders
import authheaders.dmarc_lookup
from authres import SPFAuthenticationResult, DKIMAuthenticationResult

# The names of tests have no public suffix of their own: below "test" each is registered.
org = lambda name: ".".join(name.split(".")[-2:])
authheaders.get_org_domain = authheaders.dmarc_lookup.get_org_domain = org

for line in sys.stdin:
    q = json.loads(line)
    zone = q["zone"]
    r = authheaders.check_dmarc(
        q["message"].encode(),
        SPFAuthenticationResult(result=q["spf"], smtp_mailfrom="a@" + q["path"]),
        DKIMAuthenticationResult(result=q["dkim"], header_d=q["domain"]),
        dnsfunc=lambda name: zone.get(name.rstrip(".")))
    print(json.dumps({"result": r.result, "policy": r.policy}), flush=True)
