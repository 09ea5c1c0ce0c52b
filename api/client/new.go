// Package client is the Go client of PiCloud's API. Its operations are generated from openapi.yaml (client.gen.go); this file adds the key, and
// problems as errors.
package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// New makes a client of the PiCloud at server (e.g. "http://127.0.0.1:8080") that sends key with every request.
func New(server, key string, options ...ClientOption) (*ClientWithResponses, error) {
	withKey := WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+key)
		return nil
	})
	c, err := NewClientWithResponses(server, append([]ClientOption{withKey}, options...)...)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	return c, nil
}

// Error makes a Problem an error: its detail, or its title, and its code, then the wrong fields.
func (p *Problem) Error() string {
	s := p.Title
	if p.Detail != nil {
		s = *p.Detail
	}
	s += " (" + p.Code + ")"
	var fields strings.Builder
	for _, f := range p.Errors {
		fields.WriteString("; " + f.Field + ": " + f.Message)
		if f.Line != nil && f.Column != nil {
			fmt.Fprintf(&fields, " (line %d, column %d)", *f.Line, *f.Column)
		}
	}
	return s + fields.String()
}

// Check gives the error that an answer stands for: nil below 400, else a *Problem.
func Check(status int, body []byte) error {
	if status < http.StatusBadRequest {
		return nil
	}
	var p Problem
	if err := json.Unmarshal(body, &p); err != nil || p.Code == "" {
		return fmt.Errorf("server answered %d %s", status, http.StatusText(status))
	}
	return &p
}
