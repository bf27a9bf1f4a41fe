# What an officer's client does, by Python's IMAP library. Prints "all is well".
import imaplib, os, ssl

ctx = ssl.create_default_context(cafile=os.environ["CA"])
m = imaplib.IMAP4_SSL("localhost", int(os.environ["PORT"]), ssl_context=ctx)


def ok(reply):
    kind, data = reply
    assert kind == "OK", reply
    return data


assert "IMAP4REV1" in m.capabilities, m.capabilities
try:
    m.login(os.environ["LOGIN"], "not the password")
    raise SystemExit("a wrong password logs in")
except imaplib.IMAP4.error:
    pass
ok(m.login(os.environ["LOGIN"], os.environ["PASSWORD"]))
boxes = b"\n".join(ok(m.list()))
for name, use in ((b"Drafts", b"\\Drafts"), (b"Sent", b"\\Sent"), (b"Junk", b"\\Junk"),
                  (b"Trash", b"\\Trash"), (b"Archive", b"\\Archive"), (b"INBOX", b"")):
    assert any(name in line and use in line for line in boxes.split(b"\n")), (name, boxes)

letter = b"From: a@luar.test\r\nSubject: Cubaan\r\nMessage-ID: <1@luar.test>\r\n\r\nIsi surat.\r\n"
ok(m.append("INBOX", r"(\Seen Penting)", imaplib.Time2Internaldate(1600000000), letter))
ok(m.append("INBOX", "", None, letter.replace(b"Cubaan", b"Kedua")))
assert ok(m.select("INBOX")) == [b"2"]
data = ok(m.fetch("1", "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"))
assert data[0][1] == letter, data
assert b"Penting" in data[0][0] + data[-1] and b"\\Seen" in data[0][0] + data[-1], data
assert ok(m.search(None, "SUBJECT", "Kedua")) == [b"2"]
assert ok(m.search(None, "UNSEEN")) == [b"2"]
assert ok(m.uid("SEARCH", "BODY", "surat"))[0].split()[0]
ok(m.store("2", "+FLAGS", r"(\Flagged)"))
ok(m.create("Projek/2026"))
ok(m.copy("1:2", "Projek/2026"))
ok(m.rename("Projek/2026", "Projek/Lama"))
ok(m.subscribe("Projek/Lama"))
assert any(b"Projek/Lama" in line for line in ok(m.lsub()))
ok(m.store("1", "+FLAGS", r"(\Deleted)"))
assert ok(m.expunge()) == [b"1"]
assert ok(m.status("Projek/Lama", "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN)"))[0].count(b"MESSAGES 2") == 1
ok(m.select("Projek/Lama", readonly=True))
data = ok(m.fetch("1:*", "(ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
assert b"Subject: Cubaan" in data[0][1], data
kind, _ = m.store("1", "+FLAGS", r"(\Seen)")
assert kind == "NO", "a mailbox that is open read-only was changed"
ok(m.close())
ok(m.delete("Projek/Lama"))
kind, _ = m.select("Projek/Lama")
assert kind == "NO"
m.logout()
print("all is well")
