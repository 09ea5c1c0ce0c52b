package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/webhook"
)

// The methods that an http trigger may name.
var httpMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"}

func parseHTTPConfig(c HTTPTriggerConfig) (picloud.HTTPConfig, error) {
	parsed := picloud.HTTPConfig{Path: deref(c.Path), Mode: picloud.HTTPMode(deref(c.Mode)), Auth: deref(c.Auth)}
	for _, m := range c.Methods {
		m = strings.ToUpper(m)
		if !slices.Contains(httpMethods, m) {
			return parsed, picloud.InvalidField("config.methods", "%q is no method: one of %s", m[:min(len(m), 50)], strings.Join(httpMethods, ", "))
		}
		parsed.Methods = append(parsed.Methods, m)
	}
	parsed.Methods = distinct(parsed.Methods)
	if _, err := picloud.ParsePath("config.path", parsed.Path); err != nil {
		return parsed, err
	}
	switch parsed.Mode {
	case "":
		parsed.Mode = picloud.HTTPSync
	case picloud.HTTPSync, picloud.HTTPAsync:
	default:
		return parsed, picloud.InvalidField("config.mode", `must be "sync" or "async"`)
	}
	if err := parseHTTPAuth(c, &parsed); err != nil {
		return parsed, err
	}
	if err := parseOnDisconnect(c, &parsed); err != nil {
		return parsed, err
	}
	return parsed, parseCORS(c.Cors, &parsed)
}

// parseOnDisconnect sets what becomes of an execution whose caller leaves. Nobody waits for an async one.
func parseOnDisconnect(c HTTPTriggerConfig, parsed *picloud.HTTPConfig) error {
	if c.OnDisconnect == nil {
		return nil
	}
	if parsed.Mode != picloud.HTTPSync {
		return picloud.InvalidField("config.on_disconnect", `is for "mode": "sync" alone: nobody waits for an execution of an async trigger`)
	}
	switch on := picloud.OnDisconnect(*c.OnDisconnect); on {
	case picloud.DisconnectContinues: // the default
	case picloud.DisconnectCancels:
		parsed.OnDisconnect = on
	default:
		return picloud.InvalidField("config.on_disconnect", `must be "continue" or "cancel"`)
	}
	return nil
}

// parseHTTPAuth sets what is asked of a caller. A webhook's fields make sense for webhooks alone.
func parseHTTPAuth(c HTTPTriggerConfig, parsed *picloud.HTTPConfig) error {
	switch parsed.Auth {
	case "":
		parsed.Auth = picloud.HTTPAuthKey
	case picloud.HTTPAuthKey, picloud.HTTPAuthNone, picloud.HTTPAuthWebhook:
	default:
		return picloud.InvalidField("config.auth", `must be "key", "none" or "webhook"`)
	}
	if parsed.Auth != picloud.HTTPAuthWebhook {
		for field, given := range map[string]bool{"config.signature": c.Signature != nil, "config.secret": c.Secret != nil, "config.tolerance": c.Tolerance != nil} {
			if given {
				return picloud.InvalidField(field, `is for "auth": "webhook" alone`)
			}
		}
		return nil
	}
	parsed.Signature, parsed.Secret = webhook.Standard, deref(c.Secret)
	if c.Signature != nil {
		parsed.Signature = *c.Signature
	}
	scheme, ok := webhook.Find(parsed.Signature)
	if !ok {
		return picloud.InvalidField("config.signature", "%q is no scheme: one of %s", parsed.Signature[:min(len(parsed.Signature), 50)], strings.Join(webhook.Names(), ", "))
	}
	if c.Secret == nil {
		return picloud.InvalidField("config.secret", "is required for webhooks: the name of the app's secret that the sender signs with")
	}
	if err := picloud.CheckSecretName("config.secret", parsed.Secret); err != nil {
		return err
	}
	if c.Tolerance == nil {
		return nil
	}
	if !scheme.HasTimestamp() {
		return picloud.InvalidField("config.tolerance", "is not for the scheme %s: its deliveries do not say when they were made", scheme.Name)
	}
	var err error
	if parsed.Tolerance, err = parseDuration("config.tolerance", *c.Tolerance); err != nil {
		return err
	}
	if parsed.Tolerance < leastTolerance || parsed.Tolerance > picloud.MaxWebhookTolerance {
		return picloud.InvalidField("config.tolerance", "must be %s to %s", formatDuration(leastTolerance), formatDuration(picloud.MaxWebhookTolerance))
	}
	return nil
}

// leastTolerance is the shortest tolerance: clocks are not closer.
const leastTolerance = time.Second

func parseCORS(c *CORS, parsed *picloud.HTTPConfig) error {
	if c == nil {
		return nil
	}
	parsed.CORS = &picloud.CORS{Origins: distinct(c.Origins), Headers: distinct(c.Headers), Credentials: deref(c.Credentials)}
	for _, m := range c.Methods {
		parsed.CORS.Methods = append(parsed.CORS.Methods, strings.ToUpper(m))
	}
	parsed.CORS.Methods = distinct(parsed.CORS.Methods)
	if c.MaxAge != nil {
		var err error
		if parsed.CORS.MaxAge, err = parseDuration("config.cors.max_age", *c.MaxAge); err != nil {
			return err
		}
	}
	return parsed.CORS.Check()
}

func toHTTPConfig(c picloud.HTTPConfig) HTTPTriggerConfig {
	mode := string(c.Mode)
	out := HTTPTriggerConfig{
		Methods: c.Methods, Path: orNil(c.Path), Mode: &mode, Auth: &c.Auth, Signature: orNil(c.Signature), Secret: orNil(c.Secret), Tolerance: optionalDuration(c.Tolerance),
		OnDisconnect: orNil(string(c.OnDisconnect)),
	}
	if c.CORS != nil {
		out.Cors = &CORS{
			Origins: c.CORS.Origins, Methods: c.CORS.Methods, Headers: c.CORS.Headers, Credentials: orNil(c.CORS.Credentials), MaxAge: optionalDuration(c.CORS.MaxAge),
		}
	}
	return out
}

// checkWebhook says whether the secret that a trigger verifies with is there.
func (s *server) checkWebhook(ctx context.Context, t picloud.Trigger) error {
	if t.HTTP == nil || t.HTTP.Secret == "" {
		return nil
	}
	_, err := s.Secrets.SecretValue(ctx, t.AppID, t.HTTP.Secret)
	if e := picloud.AsError(err); e != nil && e.Kind == picloud.NotFound {
		return picloud.InvalidField("config.secret", "%s", picloud.MissingSecret(t.HTTP.Secret))
	}
	return err
}
