package picloud_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
)

func TestFetchRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule, host, addr string
		port             uint16
		want             bool
	}{
		{"api.example.com", "api.example.com", "1.1.1.1", 443, true},
		{"api.example.com", "API.Example.com.", "1.1.1.1", 443, true},
		{"api.example.com", "example.com", "1.1.1.1", 443, false},
		{"api.example.com", "x.api.example.com", "1.1.1.1", 443, false},
		{"api.example.com:8443", "api.example.com", "1.1.1.1", 443, false},
		{"api.example.com:8443", "api.example.com", "1.1.1.1", 8443, true},
		{"*.example.com", "a.b.example.com", "1.1.1.1", 80, true},
		{"*.example.com", "example.com", "1.1.1.1", 80, false},
		{"*.example.com", "badexample.com", "1.1.1.1", 80, false},
		{"10.0.0.0/8", "intern", "10.9.8.7", 80, true},
		{"10.0.0.0/8", "intern", "11.0.0.1", 80, false},
		{"10.0.0.0/8", "intern", "::ffff:10.9.8.7", 80, true},
		{"10.0.0.0/8:5432", "intern", "10.9.8.7", 80, false},
		{"127.0.0.1:8080", "localhost", "127.0.0.1", 8080, true},
		{"2001:db8::/32", "x", "2001:db8::1", 80, true},
		{"[2001:db8::1]:443", "x", "2001:db8::1", 443, true},
		{"[2001:db8::1]:443", "x", "2001:db8::1", 80, false},
		{"::1", "localhost", "::1", 80, true},
	} {
		rules, err := picloud.ParseFetchRules([]string{c.rule})
		require.NoError(t, err, c.rule)
		require.Equal(t, c.want, rules.Match(c.host, netip.MustParseAddr(c.addr), c.port), "%+v", c)
	}
}

func TestFetchRulesThatAreNone(t *testing.T) {
	t.Parallel()
	for _, entry := range []string{
		"", "*", "*.", "*com", "a b", "a..b", "-a", "http://a", "a/b", "a:0", "a:99999", "a:x", "10.0.0.0/33", "[::1", "[::1]x", "[::1]:", "fe80::1%eth0", "ä.example", "a,b",
		strings.Repeat("a.", 200) + "b",
	} {
		_, err := picloud.ParseFetchRules([]string{entry})
		require.Error(t, err, entry)
		require.Equal(t, "fetch_allow", picloud.AsError(picloud.CheckFetchAllow([]string{entry})).Fields[0].Field)
	}
	require.Error(t, picloud.CheckFetchAllow(make([]string, picloud.MaxFetchRules+1)))
	require.NoError(t, picloud.CheckFetchAllow(nil))
}

func FuzzParseFetchRules(f *testing.F) {
	for _, s := range []string{"a.b:1", "*.x", "10.0.0.0/8:5", "[::1]:3", "::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, entry string) {
		rules, err := picloud.ParseFetchRules([]string{entry})
		if err != nil {
			return
		}
		r := rules[0]
		require.True(t, r.Prefix.IsValid() || r.Host != "" || len(r.Suffix) > 1, "%q gives a rule of nothing", entry)
	})
}
