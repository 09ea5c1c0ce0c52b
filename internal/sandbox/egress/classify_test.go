package egress_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/egress"
)

// classes is every class of address that is refused, with both ends of its range where it has one.
var classes = map[string][]string{
	"unspecified address": {"0.0.0.0", "0.255.255.255", "::", "::ffff:0.0.0.0"},
	"loopback address":    {"127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1"},
	"private address": {
		"10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255", "100.64.0.0", "100.127.255.255",
		"::ffff:10.0.0.5", "::ffff:192.168.1.1", "fc00::", "fdff:ffff::1", "fec0::1",
	},
	"link-local address": {"169.254.0.0", "169.254.255.255", "::ffff:169.254.1.1", "fe80::1", "febf::1", "fe80::1%eth0"},
	"metadata address":   {"169.254.169.254", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16"},
	"multicast address":  {"224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"},
	"broadcast address":  {"255.255.255.255", "::ffff:255.255.255.255"},
	"reserved address": {
		"240.0.0.0", "255.255.255.254", "192.0.0.0", "192.0.0.192", "192.88.99.1", "2001:20::1", "2001:1ff:ffff::", "100::1", "5f00::1", "1::1", "4000::1",
		"::2", "::127.0.0.1", "::ffff:0:7f00:1", "fbff::1",
	},
	"documentation address": {"192.0.2.1", "198.51.100.255", "203.0.113.0", "2001:db8::1", "3fff::1"},
	"benchmark address":     {"198.18.0.0", "198.19.255.255", "2001:2::1"},
	"translated address":    {"64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:808:808::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"},
}

func TestClassify(t *testing.T) {
	t.Parallel()
	for class, addrs := range classes {
		for _, a := range addrs {
			addr := netip.MustParseAddr(a)
			require.Equal(t, class, egress.Classify(addr), a)
			require.Error(t, (&egress.Guard{}).Check(nil, "x.example", netip.AddrPortFrom(addr, 80)), a)
			require.NoError(t, (&egress.Guard{AllowPrivate: true}).Check(nil, "x.example", netip.AddrPortFrom(addr, 80)), a)
		}
	}
	require.Equal(t, "reserved address", egress.Classify(netip.Addr{}))
	for _, a := range []string{
		"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255",
		"172.32.0.0", "192.0.1.0", "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "::ffff:8.8.8.8",
		"2606:4700::1111", "2001:200::1", "2001:4860:4860::8888", "2a00::1", "3ffe:ffff::1",
	} {
		require.Empty(t, egress.Classify(netip.MustParseAddr(a)), a)
	}
}

// FuzzClassify holds the classifier against what the standard library knows of addresses.
func FuzzClassify(f *testing.F) {
	for _, addrs := range classes {
		for _, a := range addrs {
			b := netip.MustParseAddr(a).As16()
			f.Add(b[:])
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		addr, ok := netip.AddrFromSlice(b)
		if !ok {
			return
		}
		class, plain := egress.Classify(addr), addr.Unmap()
		require.Equal(t, class, egress.Classify(plain), "%s is judged otherwise than %s", addr, plain)
		if plain.IsLoopback() || plain.IsPrivate() || plain.IsUnspecified() || plain.IsMulticast() || plain.IsLinkLocalUnicast() || !plain.IsGlobalUnicast() {
			require.NotEmpty(t, class, "%s", addr)
		}
	})
}

func TestAllowLists(t *testing.T) {
	t.Parallel()
	rules := func(entries ...string) picloud.FetchRules {
		r, err := picloud.ParseFetchRules(entries)
		require.NoError(t, err)
		return r
	}
	at := netip.MustParseAddrPort
	instance := &egress.Guard{Allow: rules("10.0.0.0/8", "intern.example:8080")}
	require.NoError(t, instance.Check(nil, "10.0.0.5", at("10.0.0.5:80")))
	require.NoError(t, instance.Check(nil, "x", at("[::ffff:10.0.0.5]:80")))
	require.NoError(t, instance.Check(nil, "intern.example", at("192.168.0.1:8080")))
	require.EqualError(t, instance.Check(nil, "intern.example", at("192.168.0.1:80")),
		"fetch to intern.example (192.168.0.1) refused: private address; PICLOUD_FETCH_ALLOW_PRIVATE or PICLOUD_FETCH_ALLOW opens it")
	require.NoError(t, instance.Check(nil, "public.example", at("1.1.1.1:443")), "the instance's list opens, it does not narrow")

	app := rules("*.example.com", "1.1.1.0/24")
	require.NoError(t, instance.Check(app, "api.example.com", at("8.8.8.8:443")))
	require.NoError(t, instance.Check(app, "one.example", at("1.1.1.1:443")))
	require.EqualError(t, instance.Check(app, "8.8.8.8", at("8.8.8.8:443")), "fetch to 8.8.8.8 refused: it is not in the app's fetch_allow list")
	require.Error(t, instance.Check(app, "10.0.0.5", at("10.0.0.5:80")), "the app's list narrows what the instance opens, too")
	require.Error(t, instance.Check(app, "evil.example.com", at("127.0.0.1:80")), "an app opens nothing by itself")
	require.Error(t, instance.Check(rules("127.0.0.0/8"), "localhost", at("127.0.0.1:80")))
}
