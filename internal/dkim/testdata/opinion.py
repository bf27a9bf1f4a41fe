# What dkimpy thinks: one question a line in JSON, one answer a line.
import base64, json, sys
import dkim


def answer(q):
    msg = base64.b64decode(q["message"])
    keys = {k: v.encode() for k, v in (q.get("keys") or {}).items()}
    ask = lambda name, timeout=5: keys.get(name.decode().rstrip(".") if isinstance(name, bytes) else name.rstrip("."))
    if q["op"] == "dkim-verify":
        out = []
        for i in range(msg.split(b"\r\n\r\n")[0].lower().count(b"dkim-signature:")):
            try:
                out.append(bool(dkim.DKIM(msg).verify(idx=i, dnsfunc=ask)))
            except Exception:
                out.append(False)
        return {"pass": out}
    if q["op"] == "arc-verify":
        cv, sets, why = dkim.ARC(msg).verify(dnsfunc=ask)
        return {"cv": (cv or b"fail").decode(), "why": str(why), "sets": len(sets)}
    head, body = [c.encode() for c in q["canon"].split("/")]
    key = base64.b64decode(q["key"])
    domain, selector = q["domain"].encode(), q["selector"].encode()
    if q["op"] == "dkim-sign":
        field = dkim.sign(msg, selector, domain, key, canonicalize=(head, body),
                          signature_algorithm=q["algorithm"].encode(), length=q["length"])
        return {"fields": base64.b64encode(field).decode()}
    if q["op"] == "arc-sign":
        # dkimpy takes the chain's state from the newest Authentication-Results of the name.
        fields = dkim.arc_sign(msg, selector, domain, key, q["authserv"].encode())
        return {"fields": base64.b64encode(b"".join(fields)).decode()}


for line in sys.stdin:
    try:
        a = answer(json.loads(line))
    except Exception as e:
        a = {"error": repr(e)}
    print(json.dumps(a), flush=True)
