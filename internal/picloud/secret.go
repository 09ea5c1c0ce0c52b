package picloud

import (
	"context"
	"regexp"
	"strconv"
	"time"
	"unicode/utf8"
)

// The bounds of secrets.
const (
	MaxSecretValue = 64 << 10 // bytes
	MaxSecrets     = 100      // of an app
	MaxSecretName  = 128
)

// Secret is what may be known of a secret: its value leaves the store for the runs of its app alone.
type Secret struct {
	Name      string
	CreatedAt time.Time
	UpdatedAt time.Time // of the value
}

// Secrets keeps the secrets of the apps, encrypted under the instance's key. Values are write-only here.
type Secrets interface {
	// PutSecret stores a value, which replaces the one that is there; created says that there was none. Conflict "secrets_full" beyond MaxSecrets.
	PutSecret(ctx context.Context, appID, name, value string) (created bool, err error)
	// DeleteSecret removes a secret. NotFound "secret_not_found".
	DeleteSecret(ctx context.Context, appID, name string) error
	// ListSecrets gives names and times, by name; the cursor is a name.
	ListSecrets(ctx context.Context, appID string, page Page) (List[Secret], error)
	SecretReader
}

// SecretReader reads the value of a secret for a run, or to verify a webhook.
type SecretReader interface {
	// SecretValue gives the value of now. NotFound "secret_not_found".
	SecretValue(ctx context.Context, appID, name string) (string, error)
}

// Sealer encrypts values under the instance's key. A sealed value opens only for the app and the name that it was sealed for.
type Sealer interface {
	// KeyID names the key that Seal uses now.
	KeyID() uint32
	Seal(appID, name string, value []byte) (sealed []byte, err error)
	// Open decrypts what any of the instance's keys sealed. ErrWrongKey when none did, or when it was sealed for another app or name.
	Open(appID, name string, sealed []byte) ([]byte, error)
	// Reload reads the keys anew from where they are kept: another process may have rotated them.
	Reload() error
}

// ErrWrongKey says that the instance's key does not open what is stored.
var ErrWrongKey = Errorf(Internal, "wrong_instance_key", "the instance's key does not open the stored secrets")

var secretNameForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

// CheckSecretName says whether s can name a secret.
func CheckSecretName(field, s string) error {
	if !secretNameForm.MatchString(s) {
		return InvalidField(field, "%q is no name of a secret: use 1 to %d of A-Z, a-z, 0-9, _, - and . (neither - nor . first)", s[:min(len(s), 200)], MaxSecretName)
	}
	return nil
}

// MissingSecret is what is said of a secret that the app does not have.
func MissingSecret(name string) string {
	return "the app has no secret " + strconv.Quote(name) + ": set it by PUT /v1/apps/{app}/secrets/" + name
}

// CheckSecretValue says whether s can be the value of a secret. Its error does not show the value.
func CheckSecretValue(field, s string) error {
	switch {
	case s == "":
		return InvalidField(field, "may not be empty: delete the secret to take it away")
	case len(s) > MaxSecretValue:
		return InvalidField(field, "has %d bytes: at most %d", len(s), MaxSecretValue)
	case !utf8.ValidString(s):
		return InvalidField(field, "is not valid UTF-8: encode binary values, e.g. in base64")
	}
	return nil
}
