package apply

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/picloud/picloud/api/client"
)

// secrets sets the secrets whose values are in the environment, and sees that the others are there. A manifest has names only.
func (a applier) secrets(ctx context.Context) error {
	if len(a.m.Secrets) == 0 {
		return nil
	}
	limit := 500
	list, err := a.c.ListSecretsWithResponse(ctx, a.m.App, &client.ListSecretsParams{Limit: &limit})
	if err != nil {
		return fmt.Errorf("list secrets: %w", err)
	}
	if list.JSON200 == nil {
		return refusal("list secrets", list.StatusCode(), list.Body)
	}
	present := map[string]bool{}
	for _, s := range list.JSON200.Items {
		present[s.Name] = true
	}
	for _, name := range a.m.Secrets {
		value, given := os.LookupEnv(name)
		if !given {
			if !present[name] {
				return fmt.Errorf("secret %s: the app does not have it: set the environment variable %s and apply again, or PUT /v1/apps/%s/secrets/%s", name, name, a.m.App, name)
			}
			continue
		}
		put, err := a.c.PutSecretWithResponse(ctx, a.m.App, name, client.SecretValue{Value: value})
		if err != nil {
			return fmt.Errorf("put secret: %w", err)
		}
		if put.StatusCode() != http.StatusCreated && put.StatusCode() != http.StatusNoContent {
			return refusal("put secret "+name, put.StatusCode(), put.Body)
		}
		a.sayf("secret %s: set from the environment", name)
	}
	return nil
}
