package api

import (
	"context"
	"maps"
	"slices"

	"github.com/picloud/picloud/internal/picloud"
)

// The secrets of the memory: those of the app "shop".

func (m *memory) PutSecret(_ context.Context, _, name, value string) (created bool, err error) {
	_, there := m.secrets[name]
	if !there && len(m.secrets) >= picloud.MaxSecrets {
		return false, picloud.Errorf(picloud.Conflict, "secrets_full", "full")
	}
	defer m.write()()
	m.secrets[name] = value
	return !there, nil
}

func (m *memory) DeleteSecret(_ context.Context, _, name string) error {
	if _, err := m.SecretValue(context.Background(), "", name); err != nil {
		return err
	}
	defer m.write()()
	delete(m.secrets, name)
	return nil
}

func (m *memory) ListSecrets(_ context.Context, _ string, page picloud.Page) (picloud.List[picloud.Secret], error) {
	defer m.read()()
	var items []picloud.Secret
	for _, name := range slices.Sorted(maps.Keys(m.secrets)) {
		items = append(items, picloud.Secret{Name: name, CreatedAt: day, UpdatedAt: day})
	}
	return pageOf(items, page, func(x picloud.Secret) string { return x.Name }, greater), nil
}

func (m *memory) SecretValue(_ context.Context, _, name string) (string, error) {
	defer m.read()()
	value, there := m.secrets[name]
	if !there {
		return "", picloud.NotFoundError("secret", name)
	}
	return value, nil
}
