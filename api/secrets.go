package api

import (
	"context"

	"github.com/picloud/picloud/internal/picloud"
)

// ListSecrets implements StrictServerInterface.
func (s *server) ListSecrets(ctx context.Context, request ListSecretsRequestObject) (ListSecretsResponseObject, error) {
	p, err := page(request.Params.Limit, request.Params.Cursor)
	if err != nil {
		return nil, err
	}
	if p.Cursor != "" {
		if err := picloud.CheckSecretName("cursor", p.Cursor); err != nil {
			return nil, err
		}
	}
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	list, err := s.Secrets.ListSecrets(ctx, app.ID, p)
	if err != nil {
		return nil, err
	}
	return ListSecrets200JSONResponse{
		Items: convert(list.Items, func(x picloud.Secret) Secret {
			return Secret{Name: x.Name, CreatedAt: x.CreatedAt.UTC(), UpdatedAt: x.UpdatedAt.UTC()}
		}),
		NextCursor: orNil(list.Next),
	}, nil
}

// PutSecret implements StrictServerInterface.
func (s *server) PutSecret(ctx context.Context, request PutSecretRequestObject) (PutSecretResponseObject, error) {
	app, err := s.secretsOf(ctx, request.App, request.Secret)
	if err != nil {
		return nil, err
	}
	if err := picloud.CheckSecretValue("value", request.Body.Value); err != nil {
		return nil, err
	}
	created, err := s.Secrets.PutSecret(ctx, app.ID, request.Secret, request.Body.Value)
	if err != nil {
		return nil, err
	}
	if created {
		return PutSecret201Response{}, nil
	}
	return PutSecret204Response{}, nil
}

// DeleteSecret implements StrictServerInterface.
func (s *server) DeleteSecret(ctx context.Context, request DeleteSecretRequestObject) (DeleteSecretResponseObject, error) {
	app, err := s.secretsOf(ctx, request.App, request.Secret)
	if err != nil {
		return nil, err
	}
	if err := s.Secrets.DeleteSecret(ctx, app.ID, request.Secret); err != nil {
		return nil, err
	}
	return DeleteSecret204Response{}, nil
}

// secretsOf gives the app whose secret is named, and checks the name.
func (s *server) secretsOf(ctx context.Context, app, name string) (picloud.App, error) {
	if err := picloud.CheckSecretName("secret", name); err != nil {
		return picloud.App{}, err
	}
	return s.app(ctx, app)
}
