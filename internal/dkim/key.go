package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Sizes of RSA keys in bits: shorter ones are no proof (RFC 8301 section 3.2), longer ones
// cost more than mail is worth.
const (
	minBits = 1024
	maxBits = 8192
)

// A KeyRecord is what stands in DNS at SELECTOR._domainkey.DOMAIN (RFC 6376 section 3.6.1).
type KeyRecord struct {
	Type    string // k=: rsa or ed25519
	Public  crypto.PublicKey
	Bits    int  // of an RSA key
	Testing bool // t=y
	Strict  bool // t=s: i= must be in d= itself
}

var errRevoked = errors.New("the key is revoked")

// ParseKeyRecord reads a key record. Its errors are for good.
func ParseKeyRecord(txt string) (*KeyRecord, error) {
	if len(txt) > 8192 {
		return nil, errors.New("the key record is too long")
	}
	t, err := parseTags(txt)
	if err != nil {
		return nil, fmt.Errorf("key record: %w", err)
	}
	if v, ok := t["v"]; ok && (v != "DKIM1" || !strings.HasPrefix(strings.TrimLeft(txt, fws), "v")) {
		return nil, errors.New("the key record is of another version")
	}
	k := &KeyRecord{Type: "rsa"}
	if v, ok := t["k"]; ok {
		k.Type = strings.ToLower(v)
	}
	if h, ok := t["h"]; ok && !slices.Contains(list(strings.ToLower(h)), "sha256") {
		return nil, errors.New("the key does not allow sha256")
	}
	if s, ok := t["s"]; ok && !slices.ContainsFunc(list(strings.ToLower(s)), func(s string) bool { return s == "*" || s == "email" }) {
		return nil, errors.New("the key is not for mail")
	}
	for _, f := range list(t["t"]) {
		k.Testing = k.Testing || f == "y"
		k.Strict = k.Strict || f == "s"
	}
	p, ok := t["p"]
	if !ok {
		return nil, errors.New("the key record has no key")
	}
	if p = squeeze(p); p == "" {
		return nil, errRevoked
	}
	der, err := decode64(p)
	if err != nil {
		return nil, errors.New("the key is not in base64")
	}
	return k, k.readPublic(der)
}

// maxRead is how many key records are remembered: those of the domains that send most.
const maxRead = 2000

// A reader remembers what key records say, by their text. It may be used by many goroutines.
type reader struct {
	mu   sync.Mutex
	read map[string]*KeyRecord
}

var readKeys = reader{read: map[string]*KeyRecord{}}

// parse is [ParseKeyRecord]; nobody may change the result. Only good records are
// remembered, so that bad ones cannot push them out.
func (r *reader) parse(txt string) (*KeyRecord, error) {
	r.mu.Lock()
	k := r.read[txt]
	r.mu.Unlock()
	if k != nil {
		return k, nil
	}
	k, err := ParseKeyRecord(txt)
	if err != nil {
		return k, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.read) >= maxRead {
		for old := range r.read { // any: what is used often is soon back
			delete(r.read, old)
			break
		}
	}
	r.read[txt] = k
	return k, nil
}

func (k *KeyRecord) readPublic(der []byte) error {
	switch k.Type {
	case "rsa":
		pub, err := x509.ParsePKIXPublicKey(der)
		if err != nil { // RFC 6376 erratum 3017: some publish the bare RSA key
			pub, err = x509.ParsePKCS1PublicKey(der)
		}
		r, ok := pub.(*rsa.PublicKey)
		if err != nil || !ok || r.N == nil {
			return errors.New("the key is no RSA key")
		}
		k.Public, k.Bits = r, r.N.BitLen()
	case "ed25519":
		if len(der) != ed25519.PublicKeySize {
			return errors.New("the key is no Ed25519 key")
		}
		k.Public = ed25519.PublicKey(der)
	default:
		return errors.New("the key is of an unknown type")
	}
	return nil
}

// decode64 reads base64 with or without its padding.
func decode64(s string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(squeeze(s), "="))
}

// verify checks a signature of the hash sum.
func (k *KeyRecord) verify(sum, sig []byte) bool {
	switch pub := k.Public.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(pub, crypto.SHA256, sum, sig) == nil
	case ed25519.PublicKey:
		return ed25519.Verify(pub, sum, sig)
	}
	return false
}

// A Key signs for a domain. It may be used by many goroutines.
type Key struct {
	Domain, Selector string
	signer           crypto.Signer
}

// Names of algorithms, as in a=.
const (
	RSA     = "rsa-sha256"
	Ed25519 = "ed25519-sha256"
)

// Generate makes a private key, RSA of 2048 bits or Ed25519, as PKCS#8.
func Generate(algorithm string) (pkcs8 []byte, err error) {
	var key any
	switch algorithm {
	case RSA:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case Ed25519:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		return nil, fmt.Errorf("dkim: algorithm %s or %s, not %q", RSA, Ed25519, algorithm)
	}
	if err != nil {
		return nil, fmt.Errorf("dkim: %w", err)
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

// NewKey reads a private key as [Generate] makes it. Reading costs more than signing a
// small message does: keep the Key.
func NewKey(domain, selector string, pkcs8 []byte) (Key, error) {
	key, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return Key{}, fmt.Errorf("dkim: key %s of %s: %w", selector, domain, err)
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if k.N.BitLen() < minBits {
			return Key{}, fmt.Errorf("dkim: key %s of %s has %d bits; %d at least", selector, domain, k.N.BitLen(), minBits)
		}
		return Key{domain, selector, k}, nil
	case ed25519.PrivateKey:
		return Key{domain, selector, k}, nil
	}
	return Key{}, fmt.Errorf("dkim: key %s of %s is neither RSA nor Ed25519", selector, domain)
}

// Algorithm is the key's a=.
func (k Key) Algorithm() string {
	if _, ok := k.signer.(ed25519.PrivateKey); ok {
		return Ed25519
	}
	return RSA
}

// Record is the TXT record that must stand at [Key.Name].
func (k Key) Record() (string, error) {
	if pub, ok := k.signer.Public().(ed25519.PublicKey); ok {
		return "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(pub), nil
	}
	der, err := x509.MarshalPKIXPublicKey(k.signer.Public())
	if err != nil {
		return "", fmt.Errorf("dkim: %w", err)
	}
	return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der), nil
}

// Name is where the record of the key stands.
func (k Key) Name() string { return k.Selector + "._domainkey." + k.Domain }

// sign signs the SHA-256 of data (RFC 8463 section 3: Ed25519 signs the hash too).
func (k Key) sign(sum []byte) ([]byte, error) {
	if _, ok := k.signer.(ed25519.PrivateKey); ok {
		return k.signer.Sign(rand.Reader, sum, crypto.Hash(0))
	}
	return k.signer.Sign(rand.Reader, sum, crypto.SHA256)
}
