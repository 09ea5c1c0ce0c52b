package host

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

// Secrets is what a run reads of its app's secrets. A secret that is asked for twice in one run has one value; no value outlives the run.
type Secrets struct {
	reader picloud.SecretReader
	appID  string

	mu     sync.Mutex
	values map[string]string // that were read
}

// NewSecrets begins the secrets of one run of an app.
func NewSecrets(reader picloud.SecretReader, appID string) *Secrets {
	return &Secrets{reader: reader, appID: appID, values: map[string]string{}}
}

// Register adds the operations to a table.
func (s *Secrets) Register(t Table) { t[frame.OpSecretGet] = s.get }

// Hidden gives what hides the values that were read; nil when there are none.
func (s *Secrets) Hidden() *picloud.Redactor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return picloud.NewRedactor(maps.Clone(s.values))
}

func (s *Secrets) get(call frame.Call, _ []byte) (Answer, Later, error) {
	if err := picloud.CheckSecretName("name", call.Key); err != nil {
		return Throw("TypeError", nameFault(err)), nil, nil
	}
	s.mu.Lock()
	value, known := s.values[call.Key]
	s.mu.Unlock()
	if known {
		return Answer{Body: []byte(value)}, nil, nil
	}
	return Answer{}, func(ctx context.Context) (Answer, error) {
		value, err := "", error(picloud.NotFoundError("secret", call.Key))
		if s.reader != nil {
			value, err = s.reader.SecretValue(ctx, s.appID, call.Key)
		}
		if e := picloud.AsError(err); e != nil && e.Kind == picloud.NotFound {
			return Throw("SecretNotFoundError", picloud.MissingSecret(call.Key)), nil
		}
		if err != nil {
			return Answer{}, fmt.Errorf("read secret: %w", err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if first, known := s.values[call.Key]; known { // two calls at once, and a change between their answers
			value = first
		}
		s.values[call.Key] = value
		return Answer{Body: []byte(value)}, nil
	}, nil
}
