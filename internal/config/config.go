// Package config reads PiCloud's environment, once, at start. Every variable is optional; docs/operations.md lists them.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/picloud/picloud/internal/picloud"
)

// Config is the environment of one PiCloud process.
type Config struct {
	DataDir         string `env:"PICLOUD_DATA_DIR" envDefault:"./data"`              // private database, admin key
	HTTPAddr        string `env:"PICLOUD_HTTP_ADDR" envDefault:"127.0.0.1:8080"`     // API, ingress, Temporal UI
	TemporalAddr    string `env:"PICLOUD_TEMPORAL_ADDR" envDefault:"127.0.0.1:7233"` // gRPC of the in-process Temporal
	MetricsAddr     string `env:"PICLOUD_METRICS_ADDR"`                              // /metrics without a key, on a listener of its own; "" = none
	PublicURL       string `env:"PICLOUD_PUBLIC_URL"`                                // how users reach HTTPAddr; "" = http://<HTTPAddr>
	AdminKey        string `env:"PICLOUD_ADMIN_KEY,unset"`                           // the first key; "" = made on the first start
	InstanceKey     string `env:"PICLOUD_INSTANCE_KEY,unset"`                        // seals the secrets; "" = InstanceKeyFile
	InstanceKeyFile string `env:"PICLOUD_INSTANCE_KEY_FILE"`                         // "" = <DataDir>/instance-key
	DatabaseURL     string `env:"DATABASE_URL"`                                      // "" = a private PostgreSQL
	MigrationURL    string `env:"PICLOUD_MIGRATION_DATABASE_URL"`                    // DATABASE_URL's database as the owner of its schema; "" = DATABASE_URL
	TemporalAddress string `env:"TEMPORAL_ADDRESS"`                                  // "" = an in-process Temporal; else the SDK's TEMPORAL_* hold
	LogLevel        string `env:"PICLOUD_LOG_LEVEL" envDefault:"info"`               // of logrus
	LogFormat       string `env:"PICLOUD_LOG_FORMAT" envDefault:"text"`              // text or json
	AuditData       bool   `env:"PICLOUD_AUDIT_DATA" envDefault:"false"`             // the audit log gets changes of data too
	MaxTriggerDepth int    `env:"PICLOUD_MAX_TRIGGER_DEPTH" envDefault:"16"`         // this many executions of one chain run

	TLSCertFile string `env:"PICLOUD_TLS_CERT_FILE"` // PEM chain; with it, HTTPAddr speaks TLS only
	TLSKeyFile  string `env:"PICLOUD_TLS_KEY_FILE"`  // PEM private key of TLSCertFile

	RateLimitKey     float64 `env:"PICLOUD_RATE_LIMIT_KEY" envDefault:"1000"`    // requests a second with one key; 0 = no bound
	RateLimitAddress float64 `env:"PICLOUD_RATE_LIMIT_ADDRESS" envDefault:"100"` // requests a second without a right key from one address; 0 = no bound

	TrustedProxies []netip.Prefix `env:"PICLOUD_TRUSTED_PROXIES" envDefault:"127.0.0.0/8,::1/128"` // whose X-Forwarded-* headers are believed

	OIDC      OIDC      `envPrefix:"PICLOUD_OIDC_"`
	Root      Root      `envPrefix:"PICLOUD_ROOT_"`
	Mail      Mail      `envPrefix:"PICLOUD_"`
	Retry     Retry     `envPrefix:"PICLOUD_TRIGGER_RETRY_"`
	Retention Retention `envPrefix:"PICLOUD_"`
	Sandbox   Sandbox   `envPrefix:"PICLOUD_SANDBOX_"`
	Fetch     Fetch     `envPrefix:"PICLOUD_FETCH_"`
}

// OIDC is the provider that persons may sign in at: all three, or none.
type OIDC struct {
	Issuer       string `env:"ISSUER"` // URL
	ClientID     string `env:"CLIENT_ID"`
	ClientSecret string `env:"CLIENT_SECRET,unset"`
}

// Set says whether there is one.
func (o OIDC) Set() bool { return o.Issuer != "" }

// check says what is wrong, by the names of the variables.
func (o OIDC) check() (wrong []error) {
	if (o.Issuer == "") != (o.ClientID == "") || (o.Issuer == "") != (o.ClientSecret == "") {
		wrong = append(wrong, errors.New("PICLOUD_OIDC_ISSUER, PICLOUD_OIDC_CLIENT_ID and PICLOUD_OIDC_CLIENT_SECRET belong together: set all or none"))
	}
	if u, err := url.Parse(o.Issuer); o.Issuer != "" && (err != nil || u.Host == "" || (u.Scheme != "https" && (u.Scheme != "http" || !loopback(net.JoinHostPort(u.Hostname(), "0"))))) {
		wrong = append(wrong, fmt.Errorf("PICLOUD_OIDC_ISSUER is %q: a URL with https, such as https://accounts.example.com", o.Issuer))
	}
	return wrong
}

// Root is what the executions of one root event may use together.
type Root struct {
	MaxExecutions int           `env:"MAX_EXECUTIONS" envDefault:"10000"`
	MaxEffects    int           `env:"MAX_EFFECTS" envDefault:"100000"`
	MaxCPU        time.Duration `env:"MAX_CPU" envDefault:"1h"` // of scripts
}

// Mail is what comes in by SMTP, and what scripts send.
type Mail struct {
	SMTPAddr  string             `env:"SMTP_ADDR" envDefault:"127.0.0.1:2525"` // SMTPOff = none
	Domain    picloud.MailDomain `env:"MAIL_DOMAIN" envDefault:"localhost"`
	PerMinute int                `env:"SMTP_MESSAGES_PER_MINUTE" envDefault:"300"` // of one IP address; 0 = no bound
	DNS       string             `env:"MAIL_DNS"`                                  // host:port of the DNS server that SPF and DKIM ask; "" = the system's
	RelayURL  string             `env:"SMTP_RELAY_URL,unset"`                      // may hold a password; "" = none
	From      string             `env:"MAIL_FROM"`                                 // of mails that name no sender
}

// SMTPOff is the SMTPAddr of an instance that takes no mail.
const SMTPOff = "off"

// check says what is wrong, by the names of the variables.
func (m Mail) check() (wrong []error) {
	if err := m.Domain.Check(); err != nil {
		wrong = append(wrong, fmt.Errorf("PICLOUD_MAIL_DOMAIN: %w", err))
	}
	if m.PerMinute < 0 {
		wrong = append(wrong, fmt.Errorf("PICLOUD_SMTP_MESSAGES_PER_MINUTE is %d: at least 0", m.PerMinute))
	}
	if m.DNS != "" {
		if _, _, err := net.SplitHostPort(m.DNS); err != nil {
			wrong = append(wrong, fmt.Errorf("PICLOUD_MAIL_DNS: %w", err))
		}
	}
	if m.From != "" {
		if _, err := mail.ParseAddress(m.From); err != nil {
			wrong = append(wrong, fmt.Errorf("PICLOUD_MAIL_FROM is no address: %w", err))
		}
	}
	return wrong
}

// Retry is the policy of triggers that have none of their own.
type Retry struct {
	MaximumAttempts    int           `env:"MAXIMUM_ATTEMPTS" envDefault:"3"`
	InitialInterval    time.Duration `env:"INITIAL_INTERVAL" envDefault:"1s"`
	BackoffCoefficient float64       `env:"BACKOFF_COEFFICIENT" envDefault:"2"`
	MaximumInterval    time.Duration `env:"MAXIMUM_INTERVAL" envDefault:"1m"`
}

// Retention is how many days things are kept.
type Retention struct {
	ExecutionDays           int `env:"EXECUTION_RETENTION_DAYS" envDefault:"14"`
	DeadLetterDays          int `env:"DEAD_LETTER_RETENTION_DAYS" envDefault:"30"` // resolved ones
	UnresolvedLetterDays    int `env:"UNRESOLVED_DEAD_LETTER_RETENTION_DAYS" envDefault:"180"`
	AbandonedExecutionsDays int `env:"ABANDONED_EXECUTIONS_RETENTION_DAYS" envDefault:"7"`
}

// Sandbox is the instance's ceiling: a script may ask for less, never for more.
type Sandbox struct {
	Processes       int           `env:"PROCESSES"`                   // children at a time; 0 = two a core and one
	Require         string        `env:"REQUIRE" envDefault:"kernel"` // RequireKernel or RequireFull
	MaxWall         time.Duration `env:"MAX_WALL" envDefault:"5m"`
	MaxCPU          time.Duration `env:"MAX_CPU" envDefault:"30s"`
	MaxMemoryMB     int           `env:"MAX_MEMORY_MB" envDefault:"128"`
	MaxCallDepth    int           `env:"MAX_CALL_DEPTH" envDefault:"4000"`
	MaxPayloadBytes int           `env:"MAX_PAYLOAD_BYTES" envDefault:"1048576"`
	MaxLogBytes     int           `env:"MAX_LOG_BYTES" envDefault:"65536"`
	MaxHostCalls    int           `env:"MAX_HOST_CALLS" envDefault:"1000"`
	MaxFetches      int           `env:"MAX_FETCHES" envDefault:"100"`
	MaxEffects      int           `env:"MAX_EFFECTS" envDefault:"500"`
}

// What Sandbox.Require may be.
const (
	RequireKernel = "kernel" // the layers that the kernel has; a line in the log names those that it lacks
	RequireFull   = "full"   // all layers: the start fails where one is refused
)

// Fetch opens what ctx.fetch does not reach by itself: the public Internet is open, everything else is not.
type Fetch struct {
	AllowPrivate bool     `env:"ALLOW_PRIVATE" envDefault:"false"` // every address
	Allow        []string `env:"ALLOW"`                            // single destinations, see picloud.ParseFetchRules
}

// Read reads the process's environment. The error names every variable that is wrong, and how to mend it.
func Read() (Config, error) { return parse(env.Options{}) }

// ReadFrom reads the given environment in place of the process's.
func ReadFrom(environment map[string]string) (Config, error) {
	return parse(env.Options{Environment: environment})
}

func parse(options env.Options) (Config, error) {
	c, err := env.ParseAsWithOptions[Config](options)
	if err != nil {
		return Config{}, fmt.Errorf("read environment: %w", err)
	}
	return c, c.check()
}

// check says what no parser sees: numbers that mean nothing.
func (c Config) check() error {
	var wrong []error
	atLeast := func(name string, value, least int) {
		if value < least {
			wrong = append(wrong, fmt.Errorf("%s is %d: at least %d", name, value, least))
		}
	}
	atLeast("PICLOUD_MAX_TRIGGER_DEPTH", c.MaxTriggerDepth, 1)
	atLeast("PICLOUD_ROOT_MAX_EXECUTIONS", c.Root.MaxExecutions, 1)
	atLeast("PICLOUD_ROOT_MAX_EFFECTS", c.Root.MaxEffects, 1)
	if c.Root.MaxCPU < time.Millisecond {
		wrong = append(wrong, fmt.Errorf("PICLOUD_ROOT_MAX_CPU is %s: at least 1ms", c.Root.MaxCPU))
	}
	atLeast("PICLOUD_EXECUTION_RETENTION_DAYS", c.Retention.ExecutionDays, 1)
	atLeast("PICLOUD_DEAD_LETTER_RETENTION_DAYS", c.Retention.DeadLetterDays, 1)
	atLeast("PICLOUD_UNRESOLVED_DEAD_LETTER_RETENTION_DAYS", c.Retention.UnresolvedLetterDays, 1)
	atLeast("PICLOUD_ABANDONED_EXECUTIONS_RETENTION_DAYS", c.Retention.AbandonedExecutionsDays, 1)
	atLeast("PICLOUD_SANDBOX_PROCESSES", c.Sandbox.Processes, 0)
	atLeast("PICLOUD_SANDBOX_MAX_MEMORY_MB", c.Sandbox.MaxMemoryMB, 8)
	atLeast("PICLOUD_SANDBOX_MAX_CALL_DEPTH", c.Sandbox.MaxCallDepth, 16)
	atLeast("PICLOUD_SANDBOX_MAX_PAYLOAD_BYTES", c.Sandbox.MaxPayloadBytes, 1024)
	atLeast("PICLOUD_SANDBOX_MAX_LOG_BYTES", c.Sandbox.MaxLogBytes, 1024)
	atLeast("PICLOUD_SANDBOX_MAX_HOST_CALLS", c.Sandbox.MaxHostCalls, 1)
	atLeast("PICLOUD_SANDBOX_MAX_FETCHES", c.Sandbox.MaxFetches, 1)
	atLeast("PICLOUD_SANDBOX_MAX_EFFECTS", c.Sandbox.MaxEffects, 1)
	if c.Sandbox.MaxWall < 10*time.Millisecond {
		wrong = append(wrong, fmt.Errorf("PICLOUD_SANDBOX_MAX_WALL is %s: at least 10ms", c.Sandbox.MaxWall))
	}
	if c.Sandbox.MaxCPU < 10*time.Millisecond {
		wrong = append(wrong, fmt.Errorf("PICLOUD_SANDBOX_MAX_CPU is %s: at least 10ms", c.Sandbox.MaxCPU))
	}
	if c.Sandbox.Require != RequireKernel && c.Sandbox.Require != RequireFull {
		wrong = append(wrong, fmt.Errorf("PICLOUD_SANDBOX_REQUIRE is %q: %s or %s", c.Sandbox.Require, RequireKernel, RequireFull))
	}
	if _, err := picloud.ParseFetchRules(c.Fetch.Allow); err != nil {
		wrong = append(wrong, fmt.Errorf("PICLOUD_FETCH_ALLOW: %w", err))
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		wrong = append(wrong, fmt.Errorf("PICLOUD_LOG_FORMAT is %q: text or json", c.LogFormat))
	}
	if (c.TLSCertFile == "") != (c.TLSKeyFile == "") {
		wrong = append(wrong, errors.New("PICLOUD_TLS_CERT_FILE and PICLOUD_TLS_KEY_FILE belong together: set both or neither"))
	}
	if !loopback(c.TemporalAddr) {
		wrong = append(wrong, fmt.Errorf("PICLOUD_TEMPORAL_ADDR is %q: a port of this machine's loopback, such as 127.0.0.1:7233, since the in-process Temporal asks nobody who they are", c.TemporalAddr))
	}
	if c.MigrationURL != "" && c.DatabaseURL == "" {
		wrong = append(wrong, errors.New("PICLOUD_MIGRATION_DATABASE_URL needs DATABASE_URL: the private PostgreSQL has its own two roles"))
	}
	if c.InstanceKey != "" && c.InstanceKeyFile != "" {
		wrong = append(wrong, errors.New("PICLOUD_INSTANCE_KEY and PICLOUD_INSTANCE_KEY_FILE are both set: one of them"))
	}
	if c.AdminKey != "" && len(c.AdminKey) < 16 {
		wrong = append(wrong, errors.New("PICLOUD_ADMIN_KEY is too short: at least 16 characters"))
	}
	wrong = append(wrong, c.Mail.check()...)
	wrong = append(wrong, c.OIDC.check()...)
	if err := c.RetryPolicy().Check(); err != nil {
		wrong = append(wrong, fmt.Errorf("PICLOUD_TRIGGER_RETRY_*: %w", err))
	}
	return errors.Join(wrong...)
}

// loopback says whether address, a host:port, can be reached from this machine only.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// RetryPolicy is the instance's default.
func (c Config) RetryPolicy() picloud.RetryPolicy {
	return picloud.RetryPolicy{
		MaximumAttempts: c.Retry.MaximumAttempts, InitialInterval: c.Retry.InitialInterval, BackoffCoefficient: c.Retry.BackoffCoefficient,
		MaximumInterval: c.Retry.MaximumInterval, Jitter: picloud.JitterNone,
	}
}

// Budget is what the executions of one root event may use together.
func (c Config) Budget() picloud.Budget {
	return picloud.Budget{Executions: c.Root.MaxExecutions, Effects: c.Root.MaxEffects, CPU: c.Root.MaxCPU}
}

// Ceiling is the most that a script may ask for.
func (c Config) Ceiling() picloud.Limits {
	s := c.Sandbox
	return picloud.Limits{
		Wall: s.MaxWall, CPU: s.MaxCPU, MemoryMB: s.MaxMemoryMB, CallDepth: s.MaxCallDepth, PayloadBytes: s.MaxPayloadBytes, LogBytes: s.MaxLogBytes,
		HostCalls: s.MaxHostCalls, Fetches: s.MaxFetches, Effects: s.MaxEffects,
	}
}

// FetchRules are the single destinations that the instance opens.
func (c Config) FetchRules() picloud.FetchRules {
	rules, err := picloud.ParseFetchRules(c.Fetch.Allow)
	if err != nil {
		return nil // check has refused it
	}
	return rules
}

// Scheme is what the HTTP listener speaks.
func (c Config) Scheme() string {
	if c.TLSCertFile != "" {
		return "https"
	}
	return "http"
}

// URL is how users reach the HTTP listener, without a slash at its end.
func (c Config) URL() string {
	if c.PublicURL != "" {
		return c.PublicURL
	}
	return c.Scheme() + "://" + c.HTTPAddr
}
