package auth

import (
	"context"
	"fmt"
	"runtime"

	"github.com/alexedwards/argon2id"

	"github.com/picloud/picloud/internal/picloud"
)

// The bounds of a password, in bytes.
const (
	MinPassword = 10
	MaxPassword = 200
)

// hashParams are the second recommended choice of RFC 9106, section 4. They do not depend on the machine: a hash takes as long wherever it was made.
var hashParams = &argon2id.Params{Memory: 64 << 10, Iterations: 3, Parallelism: 4, SaltLength: 16, KeyLength: 32}

// hashing bounds how many passwords are hashed at a time: each takes 64 MiB.
var hashing = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)))

// HashPassword gives what is stored of a password: argon2id with a salt. Invalid "password" outside of its bounds.
func HashPassword(ctx context.Context, password string) (string, error) {
	if len(password) < MinPassword || len(password) > MaxPassword {
		return "", picloud.InvalidField("password", "must have %d to %d bytes", MinPassword, MaxPassword)
	}
	var hash string
	err := oneOfFew(ctx, func() (err error) {
		hash, err = argon2id.CreateHash(password, hashParams)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return hash, nil
}

// oneOfFew waits for its turn to hash.
func oneOfFew(ctx context.Context, hash func() error) error {
	select {
	case hashing <- struct{}{}:
		defer func() { <-hashing }()
		return hash()
	case <-ctx.Done():
		return ctx.Err()
	}
}
