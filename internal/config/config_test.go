package config_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/config"
	"github.com/picloud/picloud/internal/picloud"
)

func TestNothingSetIsTheDocumentedDefault(t *testing.T) {
	t.Parallel()
	c, err := config.ReadFrom(map[string]string{})
	require.NoError(t, err)
	assert.Equal(t, "http://127.0.0.1:8080", c.URL())
	assert.Equal(t, picloud.DefaultRetryPolicy, c.RetryPolicy())
	assert.Equal(t, 16, c.MaxTriggerDepth)
	assert.Equal(t, picloud.DefaultBudget, c.Budget())
	assert.Equal(t, 5*time.Minute, c.Ceiling().Wall)
	assert.False(t, c.Fetch.AllowPrivate)
	assert.Empty(t, c.FetchRules())
}

func TestFetchRules(t *testing.T) {
	t.Parallel()
	c, err := config.ReadFrom(map[string]string{"PICLOUD_FETCH_ALLOW_PRIVATE": "true", "PICLOUD_FETCH_ALLOW": "intern.example:8080,10.0.0.0/8"})
	require.NoError(t, err)
	assert.True(t, c.Fetch.AllowPrivate)
	assert.Equal(t, "intern.example", c.FetchRules()[0].Host)
	assert.Len(t, c.FetchRules(), 2)
}

func TestEveryWrongVariableIsNamed(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"PICLOUD_MAX_TRIGGER_DEPTH":                   "0",
		"PICLOUD_ROOT_MAX_EXECUTIONS":                 "0",
		"PICLOUD_ROOT_MAX_EFFECTS":                    "0",
		"PICLOUD_ROOT_MAX_CPU":                        "0s",
		"PICLOUD_EXECUTION_RETENTION_DAYS":            "-1",
		"PICLOUD_SANDBOX_MAX_WALL":                    "1ns",
		"PICLOUD_SANDBOX_MAX_MEMORY_MB":               "1",
		"PICLOUD_SANDBOX_MAX_CALL_DEPTH":              "1",
		"PICLOUD_SANDBOX_REQUIRE":                     "most",
		"PICLOUD_FETCH_ALLOW":                         "ok.example,http://no",
		"PICLOUD_LOG_FORMAT":                          "xml",
		"PICLOUD_ADMIN_KEY":                           "short",
		"PICLOUD_TRIGGER_RETRY_MAXIMUM_ATTEMPTS":      "0",
		"PICLOUD_ABANDONED_EXECUTIONS_RETENTION_DAYS": "0",
		"PICLOUD_TEMPORAL_ADDR":                       "0.0.0.0:7233",
		"PICLOUD_MIGRATION_DATABASE_URL":              "postgres://owner@db/picloud",
		"PICLOUD_TLS_CERT_FILE":                       "cert.pem",
		"PICLOUD_TLS_KEY_FILE":                        "key.pem",
		"PICLOUD_OIDC_CLIENT_ID":                      "picloud",
		"PICLOUD_OIDC_ISSUER":                         "http://accounts.example.com",
		"PICLOUD_TRUSTED_PROXIES":                     "10.0.0.0/8,everybody",
	} {
		_, err := config.ReadFrom(map[string]string{name: value})
		require.Error(t, err, name)
		if name == "PICLOUD_TRIGGER_RETRY_MAXIMUM_ATTEMPTS" {
			name = "maximum_attempts"
		}
		if name == "PICLOUD_TRUSTED_PROXIES" {
			name = "everybody" // env names the field and the value
		}
		assert.ErrorContains(t, err, name)
	}
	_, err := config.ReadFrom(map[string]string{"PICLOUD_SANDBOX_MAX_WALL": "soon"})
	assert.ErrorContains(t, err, "soon")
}

// Every limit has its variable, its default is the table's ceiling, and docs/operations.md names it.
func TestCeilingsAreThoseOfTheTable(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	normal, err := config.ReadFrom(map[string]string{})
	require.NoError(t, err)
	for _, l := range picloud.LimitTable {
		assert.Equal(t, l.Ceiling, l.Get(normal.Ceiling()), l.Name)
		less, err := config.ReadFrom(map[string]string{l.Variable: l.Text(l.Ceiling - 1)})
		require.NoError(t, err, l.Variable)
		assert.Equal(t, l.Ceiling-1, l.Get(less.Ceiling()), l.Variable)
		assert.Contains(t, string(docs), "`"+l.Variable+"`")
	}
}
