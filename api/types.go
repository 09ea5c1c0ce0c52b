package api

import (
	"context"

	"github.com/picloud/picloud/internal/sandbox/types"
)

// GetTypes implements StrictServerInterface.
func (s *server) GetTypes(context.Context, GetTypesRequestObject) (GetTypesResponseObject, error) {
	return GetTypes200TextResponse(types.Declarations()), nil
}
