package store

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// writeHTTPDetails writes the detail row of an http trigger. Conflict "trigger_conflict" where another one of its script covers the same requests: of two none would be the
// more specific.
func writeHTTPDetails(ctx context.Context, q *sqlc.Queries, id string, t picloud.Trigger) error {
	pattern, err := picloud.ParsePath("config.path", t.HTTP.Path)
	if err != nil {
		return err //nolint:wrapcheck // of the domain
	}
	cors, err := encode(t.HTTP.CORS)
	if err != nil {
		return err
	}
	methods := nonNilText(t.HTTP.Methods)
	if t.Enabled {
		if err := q.TriggerHTTPLock(ctx, id); err != nil {
			return fmt.Errorf("lock script: %w", err)
		}
		rival, err := q.TriggerHTTPRival(ctx, id, pattern.Shape(), methods)
		if err == nil {
			return picloud.Errorf(picloud.Conflict, "trigger_conflict", "the trigger %q of the same script covers the same paths and methods: change or disable one of them", rival)
		}
		if !isMissing(err) {
			return fmt.Errorf("look for a rival: %w", err)
		}
	}
	return q.TriggerHTTPPut(ctx, sqlc.TriggerHTTPPutParams{
		TriggerID: id, Methods: methods, Path: t.HTTP.Path, Mode: string(t.HTTP.Mode), Auth: t.HTTP.Auth, Signature: t.HTTP.Signature, Secret: t.HTTP.Secret,
		ToleranceMs: t.HTTP.Tolerance.Milliseconds(), Cors: cors, Shape: pattern.Shape(), OnDisconnect: string(cmp.Or(t.HTTP.OnDisconnect, picloud.DisconnectContinues)),
	})
}

func readHTTPDetails(t *picloud.Trigger, r sqlc.TriggerListRow) error {
	cors, err := decodeOptional[picloud.CORS](r.HTTPCORS)
	t.HTTP = &picloud.HTTPConfig{
		Methods: r.HTTPMethods, Path: value(r.HTTPPath), Mode: picloud.HTTPMode(value(r.HTTPMode)), Auth: value(r.HTTPAuth), Signature: value(r.HTTPSignature),
		Secret: value(r.HTTPSecret), Tolerance: time.Duration(value(r.HTTPToleranceMs)) * time.Millisecond, CORS: cors,
	}
	if on := picloud.OnDisconnect(value(r.HTTPOnDisconnect)); on != picloud.DisconnectContinues {
		t.HTTP.OnDisconnect = on
	}
	return err
}

// webhookSecrets opens the secrets that an endpoint's triggers verify with: a JSON object of sealed values in base64, by name.
func (s *Store) webhookSecrets(appID string, column []byte) (map[string]string, error) {
	sealed, err := decode[map[string][]byte](column)
	if err != nil || len(sealed) == 0 {
		return nil, err
	}
	values := make(map[string]string, len(sealed))
	for name, text := range sealed {
		value, err := s.options.Sealer.Open(appID, name, text)
		if err != nil {
			return nil, fmt.Errorf("get secret %s: %w", name, err)
		}
		values[name] = string(value)
	}
	return values, nil
}

// Rebind implements picloud.Idempotency.
func (s *Store) Rebind(ctx context.Context, appID, key, before, after string) (rebound bool, err error) {
	n, err := s.queries.IdempotencyKeyRebind(ctx, after, appID, key, before)
	if err != nil {
		return false, fmt.Errorf("rebind idempotency key: %w", err)
	}
	return n > 0, nil
}
