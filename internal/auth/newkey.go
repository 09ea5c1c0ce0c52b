package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"strings"
)

// The form of a key: KeyPrefix, an open part by which it is found, "_", and 256 random bits.
const (
	openLength   = 13 // base32 of 64 bits
	secretLength = 43 // base64url of 256 bits
)

// NewKey makes a key: key is the whole, to be shown once; prefix is its open part, with KeyPrefix; digest is its SHA-256, to be stored.
func NewKey() (key, prefix string, digest []byte) {
	var open [8]byte
	_, _ = rand.Read(open[:]) // never fails, see crypto/rand
	prefix = KeyPrefix + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(open[:]))
	key = prefix + "_" + newSecret()
	return key, prefix, Digest(key)
}

// newSecret gives 256 random bits in base64url.
func newSecret() string {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails, see crypto/rand
	return base64.RawURLEncoding.EncodeToString(secret[:])
}

// Digest is what is stored of a key or token.
func Digest(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}

// KeyPart gives the open part of a key, with KeyPrefix; "" for what has another form: only the bootstrap key may have one.
func KeyPart(key string) string {
	if len(key) != len(KeyPrefix)+openLength+1+secretLength || !strings.HasPrefix(key, KeyPrefix) || key[len(KeyPrefix)+openLength] != '_' {
		return ""
	}
	return key[:len(KeyPrefix)+openLength]
}
