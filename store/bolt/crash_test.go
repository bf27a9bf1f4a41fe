package bolt_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sampul/internal/gate"
	"sampul/internal/message"
	"sampul/store"
	"sampul/store/bolt"
)

// crashDir, when set, makes the test binary the engine that is to be killed.
const crashDir = "SAMPUL_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		crashChild(dir)
	}
	os.Exit(m.Run())
}

const crashOfficers = 6

func officer(i int) string { return fmt.Sprintf("officer%d@agensi-a.test", i) }

// crashSetup makes the store that the children are killed in.
func crashSetup(t *testing.T, dir string) {
	e := open(t, dir)
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(e.AddAgency(ctx, store.System, store.Agency{Name: "agensi-a"}))
	must(e.AddDomain(ctx, store.System, store.Domain{Name: "agensi-a.test", Agency: "agensi-a"}))
	for i := range crashOfficers {
		_, err := e.AddAccount(ctx, store.System, store.Account{Address: officer(i), Agency: "agensi-a", Kind: store.Personal}, "")
		must(err)
	}
	must(e.Close())
}

// crashChild loads the engine until it is killed, and prints what it was promised:
// a line for each message, written after the engine said that it is durable.
func crashChild(dir string) {
	fatal := func(err error) {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(3)
	}
	ctx := context.Background()
	e, err := bolt.Open(ctx, bolt.Options{Dir: dir, KeyFile: filepath.Clean(dir) + ".key", Reserve: 1})
	if err != nil {
		fatal(err)
	}
	accounts, err := e.Accounts(ctx, store.System)
	if err != nil {
		fatal(err)
	}
	fmt.Println("ready")
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf(format+"\n", args...)
	}
	var wg sync.WaitGroup
	old, err := e.QueueList(ctx, store.System, store.QueueFilter{To: "@agensi-a.test"}, "", 50)
	if err != nil {
		fatal(err)
	}
	wg.Go(func() {
		if err := crashFileOld(ctx, e, old, accounts, say); err != nil {
			fatal(err)
		}
	})
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				if err := crashStep(ctx, e, accounts, w, i, say); err != nil {
					fatal(err)
				}
			}
		})
	}
	wg.Wait()
}

// crashStep does one thing of a load, and says what was promised.
func crashStep(ctx context.Context, e *bolt.Engine, accounts []store.Account, w, i int, say func(string, ...any)) error {
	text, id := crashLetter(mrand.IntN(8) == 0)
	x, passed := message.Parse(text), gate.Mint(sha256.Sum256(text), gate.Mailbox, "TERBUKA", "", "")
	a := accounts[mrand.IntN(len(accounts))]
	if w == 0 {
		by := store.Actor{Agency: a.Agency, Account: a.ID, Role: store.RoleOfficer}
		_, uids, err := e.AppendMessages(ctx, by, a.ID, "Sent", []store.Append{{Body: bytes.NewReader(text), Index: x, Passed: passed}})
		if err != nil {
			return err
		}
		say("append %s %d %d", id, a.ID, uids[0])
		return nil
	}
	b := accounts[mrand.IntN(len(accounts))]
	env := &store.Envelope{QueueID: "Q" + id, From: "orang@luar.test", Received: time.Unix(1700000000, 0), Lane: store.Lane(w % 2),
		Prefix:     []byte("Received: by agensi-a.test\r\n"),
		Recipients: []store.Recipient{{Path: a.Address, Account: a.ID, Agency: a.Agency}, {Path: b.Address, Account: b.ID, Agency: b.Agency}}}
	if w == 1 {
		env.Recipients = append(env.Recipients, store.Recipient{Path: "seseorang@jauh.test"})
	}
	if w == 2 || w == 3 {
		return crashFile(ctx, e, env, text, x, passed, a, b, say)
	}
	if err := e.Accept(ctx, env, bytes.NewReader(text), x, passed); err != nil {
		return err
	}
	say("accept %s %d %d %d", id, a.ID, b.ID, len(env.Recipients))
	return nil
}

// crashFile accepts a letter for the queue, and files it here by one record: whenever the
// process dies, it waits or is filed, and is never both or neither.
func crashFile(ctx context.Context, e *bolt.Engine, env *store.Envelope, text []byte, x *message.Index, passed gate.Passed,
	a, b store.Account, say func(string, ...any)) error {
	env.Recipients = []store.Recipient{{Path: a.Address}, {Path: "lain@jauh.test"}}
	if err := e.Accept(ctx, env, bytes.NewReader(text), x, passed); err != nil {
		return err
	}
	id := strings.TrimPrefix(env.QueueID, "Q")
	say("queued %s %d", id, a.ID)
	if err := e.QueueDone(ctx, env.QueueID, []store.Outcome{{Recipient: "lain@jauh.test", Done: mrand.IntN(2) == 0, Code: 450}}); err != nil {
		return err
	}
	if mrand.IntN(4) == 0 { // the next child does it, after this one has died
		return nil
	}
	if err := e.QueueFile(ctx, env.QueueID, a.Address, a.ID, ""); err != nil {
		return err
	}
	say("filed %s %d", id, a.ID)
	_, err := e.QueueDrop(ctx, store.System, store.QueueFilter{IDs: []string{env.QueueID}})
	return err
}

// crashFileOld files what an earlier child left in the queue.
func crashFileOld(ctx context.Context, e *bolt.Engine, old []store.QueueEntry, accounts []store.Account, say func(string, ...any)) error {
	for _, q := range old {
		for _, a := range accounts {
			err := e.QueueFile(ctx, q.ID, a.Address, a.ID, "")
			if err == nil {
				say("filed %s %d", strings.TrimPrefix(q.ID, "Q"), a.ID)
			} else if !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
	}
	return nil
}

// crashLetter is a message that holds its own name and checksum.
func crashLetter(large bool) (text []byte, id string) {
	id = rand.Text()
	filler := make([]byte, mrand.IntN(2000))
	if large {
		filler = make([]byte, 200<<10+mrand.IntN(400<<10))
	}
	rand.Read(filler)
	body := hex.EncodeToString(filler)
	sum := sha256.Sum256([]byte(body))
	return fmt.Appendf(nil, "Message-ID: <%s@luar.test>\r\nX-Sum: %x\r\n\r\n%s", id, sum, body), id
}

// crashID reads a letter back: its name, and whether it is unaltered.
func crashID(text string) (id string, whole bool) {
	header, body, ok := strings.Cut(text, "\r\n\r\n")
	_, rest, ok2 := strings.Cut(header, "<")
	id, _, _ = strings.Cut(rest, "@")
	sum := sha256.Sum256([]byte(body))
	return id, ok && ok2 && strings.Contains(header, fmt.Sprintf("X-Sum: %x", sum))
}

// promised is what the children said, over all rounds.
type promised struct {
	copies map[store.AccountID]map[string]bool // letters that stand in a mailbox of the account
	uids   map[string]store.UID                // of appended letters
	queue  map[string]bool
	either map[string]store.AccountID // waits for this account, or is filed there
	n      int
}

func (p *promised) read(line string) error {
	var kind, id string
	var a, b store.AccountID
	var n int
	switch kind, _, _ = strings.Cut(line, " "); kind {
	case "accept":
		if _, err := fmt.Sscanf(line, "accept %s %d %d %d", &id, &a, &b, &n); err != nil {
			return err
		}
		p.add(a, id)
		p.add(b, id)
		p.queue["Q"+id] = n == 3
	case "append":
		if _, err := fmt.Sscanf(line, "append %s %d %d", &id, &a, &n); err != nil {
			return err
		}
		p.add(a, id)
		p.uids[id] = store.UID(n)
	case "queued", "filed":
		if _, err := fmt.Sscanf(line, kind+" %s %d", &id, &a); err != nil {
			return err
		}
		if p.either["Q"+id] = a; kind == "filed" {
			delete(p.either, "Q"+id)
			p.add(a, id)
		}
	default:
		return fmt.Errorf("the child said %q", line)
	}
	p.n++
	return nil
}

func (p *promised) add(a store.AccountID, id string) {
	if p.copies[a] == nil {
		p.copies[a] = make(map[string]bool)
	}
	p.copies[a][id] = true
}

// TestCrash kills an engine under load at random points, with nothing closed, and
// looks whether all that it had acknowledged is there: once, whole, under its UID.
func TestCrash(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	dir := filepath.Join(t.TempDir(), "store")
	crashSetup(t, dir)
	p := &promised{copies: make(map[store.AccountID]map[string]bool), uids: make(map[string]store.UID), queue: make(map[string]bool),
		either: make(map[string]store.AccountID)}
	for round := range rounds {
		before := p.n
		crashRound(t, dir, p)
		if p.n == before {
			t.Fatalf("round %d: nothing was acknowledged", round)
		}
		e := open(t, dir)
		p.check(t, e)
		verify(t, e)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			t.Fatalf("after round %d", round)
		}
	}
	t.Logf("%d acknowledged in %d rounds", p.n, rounds)
}

// crashRound runs a child, and kills it after a random number of acknowledgements.
func crashRound(t *testing.T, dir string, p *promised) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	left := 1 + mrand.IntN(400)
	killed := false
	for lines.Scan() {
		if lines.Text() == "ready" {
			continue
		}
		if err := p.read(lines.Text()); err != nil {
			t.Error(err)
		}
		if left--; left == 0 {
			killed = true
			cmd.Process.Kill() // SIGKILL; what it had written to the pipe is read still
		}
	}
	err = cmd.Wait()
	if !killed {
		t.Fatalf("the child ended by itself: %v\n%s", err, stderr.String())
	}
}

func (p *promised) check(t *testing.T, e *bolt.Engine) {
	t.Helper()
	ctx := context.Background()
	for n := 1; n > 0; n, _, _ = e.Lag() {
		select {
		case <-e.Failed():
			t.Fatal(e.Err())
		case <-time.After(time.Millisecond):
		}
	}
	accounts, err := e.Accounts(ctx, store.System)
	if err != nil {
		t.Fatal(err)
	}
	copies := make(map[store.AccountID]map[string]int)
	for _, a := range accounts {
		got := make(map[string]int)
		for _, name := range []string{"INBOX", "Sent"} {
			p.checkMailbox(t, e, a, name, got)
		}
		copies[a.ID] = got
		for id := range p.copies[a.ID] {
			if got[id] != 1 {
				t.Errorf("%s has %d copies of %s, which was acknowledged", a.Address, got[id], id)
			}
		}
		for id, n := range got {
			if n != 1 {
				t.Errorf("%s has %d copies of %s", a.Address, n, id)
			}
		}
	}
	list, err := e.QueueList(ctx, store.System, store.QueueFilter{}, "", 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(map[string]bool)
	local := make(map[string]bool) // waits for a recipient who may be filed here
	for _, q := range list {
		waiting[q.ID] = true
		for _, r := range q.Recipients {
			local[q.ID] = local[q.ID] || strings.HasSuffix(r.Address, "@agensi-a.test")
		}
	}
	for id, a := range p.either {
		n := copies[a][strings.TrimPrefix(id, "Q")]
		if local[id] {
			n++
		}
		if n != 1 {
			t.Errorf("%s waits in the queue (%t) and is filed, %d times together", id, local[id], n)
		}
	}
	for id, want := range p.queue {
		if want && !waiting[id] {
			t.Errorf("%s is not in the queue", id)
		}
	}
}

func (p *promised) checkMailbox(t *testing.T, e *bolt.Engine, a store.Account, name string, got map[string]int) {
	t.Helper()
	ctx := context.Background()
	m, err := e.OpenMailbox(ctx, store.System, a.ID, name)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, s := range m.Snapshot().States {
		b, err := e.OpenBody(ctx, store.System, m, s.Body)
		if err != nil {
			t.Errorf("%s %s UID %d: %v", a.Address, name, s.UID, err)
			continue
		}
		var text strings.Builder
		err = b.WriteRange(&text, 0, b.Size())
		b.Close()
		id, whole := crashID(text.String())
		if err != nil || !whole {
			t.Errorf("%s %s UID %d is altered (%v)", a.Address, name, s.UID, err)
		}
		got[id]++
		if want := p.uids[id]; want != 0 && want != s.UID {
			t.Errorf("%s %s has UID %d, %d was acknowledged", a.Address, name, s.UID, want)
		}
	}
}
