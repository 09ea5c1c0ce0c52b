package apply

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/picloud/picloud/api/client"
)

// RefusalError is an error answer of the instance.
type RefusalError struct {
	What    string // what was tried, e.g. "put script intake (intake.ts)"
	Problem client.Problem
}

// Error gives the problem in lines that a person reads: what was tried, why it was refused, and each field with its place.
func (r *RefusalError) Error() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s: %s", r.What, r.Problem.Title)
	if r.Problem.Detail != nil {
		fmt.Fprintf(&s, ": %s", *r.Problem.Detail)
	}
	for _, f := range r.Problem.Errors {
		fmt.Fprintf(&s, "\n  %s", f.Field)
		if f.Line != nil && f.Column != nil {
			fmt.Fprintf(&s, " line %d, column %d", *f.Line, *f.Column)
		}
		fmt.Fprintf(&s, ": %s", f.Message)
	}
	return s.String()
}

// asJSON encodes a request's body; nil values of the map are left out.
func asJSON(body map[string]any) (io.Reader, error) {
	for k, v := range body {
		if m, ok := v.(map[string]any); ok && m == nil {
			delete(body, k)
		}
	}
	b, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	return bytes.NewReader(b), nil
}
