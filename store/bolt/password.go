package bolt

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/xdg-go/stringprep"
	"golang.org/x/crypto/argon2"

	"sampul/store"
)

const (
	scramIterations = 10000 // RFC 7677 asks for 4,096 at least; some 2 ms of CPU here
	maxPassword     = 1024  // octets
	// Two derivations of 64 MiB at a time: logins must not take the machine's memory.
	argonMemory, argonTime, argonThreads = 64 << 10, 1, 2
)

// verifier checks one password. V is its version: what later kinds need is added
// beside the fields here.
type verifier struct {
	V    int    `json:"v"`
	Kind string `json:"kind"` // scram-sha-256, argon2id
	Salt []byte `json:"salt"`

	Iterations int    `json:"iterations,omitempty"`
	StoredKey  []byte `json:"stored_key,omitempty"`
	ServerKey  []byte `json:"server_key,omitempty"`

	Memory  uint32 `json:"memory,omitempty"` // KiB
	Time    uint32 `json:"time,omitempty"`
	Threads uint8  `json:"threads,omitempty"`
	Hash    []byte `json:"hash,omitempty"`
}

// prepare is SASLprep (RFC 4013); a password it cannot take is used as it is, as
// clients do (RFC 5802 section 5.1 leaves them no other way).
func preparePassword(password string) string {
	if p, err := stringprep.SASLprep.Prepare(password); err == nil {
		return p
	}
	return password
}

func checkNewPassword(password string) error {
	if password == "" || len(password) > maxPassword || !utf8.ValidString(password) {
		return fmt.Errorf("%w: a password is UTF-8 of 1 to %d octets", store.ErrName, maxPassword)
	}
	return nil
}

func newSalt() []byte {
	salt := make([]byte, 16)
	rand.Read(salt)
	return salt
}

// newVerifier makes SCRAM-SHA-256 keys, which serve SCRAM and plain logins alike.
func newVerifier(password string) (verifier, error) {
	if err := checkNewPassword(password); err != nil {
		return verifier{}, err
	}
	v := verifier{V: 1, Kind: "scram-sha-256", Salt: newSalt(), Iterations: scramIterations}
	var err error
	v.StoredKey, v.ServerKey, err = scramKeys(password, v.Salt, v.Iterations)
	return v, err
}

// scramKeys is RFC 5802 section 3.
func scramKeys(password string, salt []byte, iterations int) (stored, server []byte, err error) {
	salted, err := pbkdf2.Key(sha256.New, preparePassword(password), salt, iterations, sha256.Size)
	if err != nil {
		return nil, nil, err
	}
	mac := func(text string) []byte {
		h := hmac.New(sha256.New, salted)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	sum := sha256.Sum256(mac("Client Key"))
	return sum[:], mac("Server Key"), nil
}

// newArgon makes an argon2id verifier: dearer to guess, but no SCRAM.
func newArgon(password string) (verifier, error) {
	if err := checkNewPassword(password); err != nil {
		return verifier{}, err
	}
	v := verifier{V: 1, Kind: "argon2id", Salt: newSalt(), Memory: argonMemory, Time: argonTime, Threads: argonThreads}
	v.Hash = v.argon(password)
	return v, nil
}

// argonTurns bounds the memory of derivations at work.
var argonTurns = make(chan struct{}, 2)

func (v *verifier) argon(password string) []byte {
	argonTurns <- struct{}{}
	defer func() { <-argonTurns }()
	return argon2.IDKey([]byte(preparePassword(password)), v.Salt, v.Time, v.Memory, v.Threads, 32)
}

// check says whether the password is the one.
func (v *verifier) check(password string) (bool, error) {
	if len(password) > maxPassword {
		return false, nil
	}
	switch v.Kind {
	case "scram-sha-256":
		stored, _, err := scramKeys(password, v.Salt, v.Iterations)
		return err == nil && subtle.ConstantTimeCompare(stored, v.StoredKey) == 1, err
	case "argon2id":
		return subtle.ConstantTimeCompare(v.argon(password), v.Hash) == 1, nil
	}
	return false, errors.New("a password verifier of an unknown kind: " + v.Kind)
}
