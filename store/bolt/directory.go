package bolt

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"sampul/internal/address"
	"sampul/internal/seal"
	"sampul/store"
)

// Buckets of directory.db.
var (
	bucketAgencies  = []byte("agencies")
	bucketDomains   = []byte("domains")
	bucketAccounts  = []byte("accounts")
	bucketAliases   = []byte("aliases")
	bucketVerifiers = []byte("verifiers")
	bucketIncidents = []byte("incidents")
	bucketGroups    = []byte("groups")
	bucketSplits    = []byte("splits")  // domain: its table
	bucketDKIM      = []byte("dkim")    // domain, NUL, selector
	bucketSecrets   = []byte("secrets") // one row: what SuiteSecret derives from
	bucketPolicy    = []byte("policy")  // kind, agency, NUL, name, NUL, version
)

// directoryRow is the version that stands before each row's JSON. Readers of older
// versions stay when it grows.
const directoryRow = 1

// directory is agencies, domains, accounts, aliases, groups, routes, signing keys and
// incidents. All but the
// incidents is held in memory; a change is durable in directory.db before it is seen.
type directory struct {
	db      *bbolt.DB
	seals   *seals
	key     *seal.DataKey
	clock   func() time.Time
	shards  int
	logins  logins
	cases   caseIndex
	gov     []string // domains of government outside the directory
	secret  []byte   // of the suite
	onHold  told[store.Account]
	onRoute told[string]

	// onAccount makes the mailboxes of new accounts. A crash between the two leaves
	// an account whose INBOX the engine makes when it is first needed.
	onAccount func(ctx context.Context, accounts []store.Account) error

	alive  func() error // nil while the engine has not failed
	onFail func(error)  // a commit failed: the engine has failed

	change sync.Mutex // held by whoever changes anything
	mu     sync.RWMutex
	people people

	suppressed hashSet // of all keys in bucketSuppressed: most recipients are in none
}

// people is the directory in memory.
type people struct {
	agencies  map[string]store.Agency
	domains   map[string]store.Domain
	accounts  map[store.AccountID]*store.Account
	addresses map[string]store.AccountID
	aliases   map[string]store.Alias
	verifiers map[store.AccountID][]verifier
	groups    map[string]store.Group
	splits    map[string]map[string]string // by domain; a table is replaced, never changed
	dkim      map[string][]store.DKIMKey   // by domain; alike
	loads     []int                        // accounts in each shard
	lastID    store.AccountID
	apps      apps

	policy policies
}

func openDirectory(path string, key *seal.DataKey, clock func() time.Time, shards int, gov []string) (*directory, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType, InitialMmapSize: 1 << 30})
	if err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	db.MaxBatchDelay = 2 * time.Millisecond
	if gov == nil {
		gov = address.Government
	}
	d := &directory{db: db, key: key, clock: clock, shards: shards, gov: gov}
	d.logins.init()
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, b := range [][]byte{bucketMeta, bucketAgencies, bucketDomains, bucketAccounts, bucketAliases, bucketVerifiers, bucketIncidents,
			bucketGroups, bucketSplits, bucketDKIM, bucketSecrets, bucketPolicy, bucketIncidentIDs, bucketCases, bucketApps, bucketSuppressed, bucketFailing, bucketUsage} {
			if _, err := tx.CreateBucketIfNotExists(b); err != nil {
				return err
			}
		}
		if d.seals, err = openSeals(tx, key, "directory"); err != nil {
			return err
		}
		if err := d.loadSecret(tx); err != nil {
			return err
		}
		if err := d.loadCases(tx); err != nil {
			return err
		}
		return d.load(tx)
	})
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("directory: %w", err)
	}
	return d, nil
}

func (d *directory) close() error { return d.db.Close() }

// load reads all people.
func (d *directory) load(tx *bbolt.Tx) error {
	p := &d.people
	*p = people{
		agencies: map[string]store.Agency{}, domains: map[string]store.Domain{},
		accounts: map[store.AccountID]*store.Account{}, addresses: map[string]store.AccountID{},
		aliases: map[string]store.Alias{}, verifiers: map[store.AccountID][]verifier{},
		groups: map[string]store.Group{}, splits: map[string]map[string]string{}, dkim: map[string][]store.DKIMKey{},
		loads: make([]int, d.shards), lastID: store.AccountID(tx.Bucket(bucketAccounts).Sequence()),
	}
	if err := eachRow(d, tx, bucketAgencies, func(_ []byte, a store.Agency) { p.agencies[a.Name] = a }); err != nil {
		return err
	}
	if err := eachRow(d, tx, bucketDomains, func(_ []byte, v store.Domain) { p.domains[v.Name] = v }); err != nil {
		return err
	}
	if err := eachRow(d, tx, bucketAccounts, func(_ []byte, a store.Account) { p.add(&a) }); err != nil {
		return err
	}
	if err := eachRow(d, tx, bucketAliases, func(_ []byte, a store.Alias) { p.aliases[a.Address] = a }); err != nil {
		return err
	}
	if err := d.loadApps(tx, p); err != nil {
		return err
	}
	if err := d.loadRouting(tx, p); err != nil {
		return err
	}
	if err := d.loadPolicy(tx, p); err != nil {
		return err
	}
	if err := d.loadSuppressed(tx); err != nil {
		return err
	}
	return eachRow(d, tx, bucketVerifiers, func(k []byte, v []verifier) {
		p.verifiers[store.AccountID(binary.BigEndian.Uint64(k))] = v
	})
}

func (p *people) add(a *store.Account) {
	p.accounts[a.ID] = a
	p.addresses[a.Address] = a.ID
	if int(a.Shard) < len(p.loads) {
		p.loads[a.Shard]++
	}
}

// eachRow opens every row of a bucket.
func eachRow[T any](d *directory, tx *bbolt.Tx, bucket []byte, f func(key []byte, row T)) error {
	return tx.Bucket(bucket).ForEach(func(k, sealed []byte) error {
		var row T
		if err := d.openRow(bucket, k, sealed, &row); err != nil {
			return fmt.Errorf("%s: %w", bucket, err)
		}
		f(k, row)
		return nil
	})
}

func (d *directory) openRow(bucket, key, sealed []byte, row any) error {
	b, err := d.seals.open(nil, bucket, key, sealed)
	if err != nil {
		return err
	}
	if len(b) == 0 || b[0] != directoryRow {
		return fmt.Errorf("%w: a row of an unknown version", errRow)
	}
	if err := json.Unmarshal(b[1:], row); err != nil {
		return fmt.Errorf("%w: %w", errRow, err)
	}
	return nil
}

func (d *directory) putRow(tx *bbolt.Tx, bucket, key []byte, row any) error {
	b, err := json.Marshal(row)
	if err != nil {
		return err
	}
	sealed, err := d.seals.seal(nil, bucket, key, append([]byte{directoryRow}, b...))
	if err != nil {
		return err
	}
	return tx.Bucket(bucket).Put(key, sealed)
}

func accountKey(id store.AccountID) []byte { return binary.BigEndian.AppendUint64(nil, uint64(id)) }
