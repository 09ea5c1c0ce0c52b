// Package egress decides where the server connects on behalf of scripts. It decides on resolved addresses, at the moment of the dial: what a name stood
// for a moment before means nothing.
package egress

import "net/netip"

// special are the ranges that are not the public Internet, by the registries of special-purpose addresses, with what a script's author is told of them.
// Source: https://www.iana.org/assignments/iana-ipv4-special-registry and https://www.iana.org/assignments/iana-ipv6-special-registry
var special = []struct {
	prefix netip.Prefix
	class  string
}{
	{netip.MustParsePrefix("169.254.169.254/32"), "metadata address"},
	{netip.MustParsePrefix("168.63.129.16/32"), "metadata address"},   // Azure's wire server
	{netip.MustParsePrefix("100.100.100.200/32"), "metadata address"}, // Alibaba
	{netip.MustParsePrefix("fd00:ec2::254/128"), "metadata address"},  // AWS
	{netip.MustParsePrefix("fd20:ce::254/128"), "metadata address"},   // Google
	{netip.MustParsePrefix("0.0.0.0/8"), "unspecified address"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private address"},
	{netip.MustParsePrefix("100.64.0.0/10"), "private address"}, // carrier-grade NAT
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback address"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local address"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private address"},
	{netip.MustParsePrefix("192.0.0.0/24"), "reserved address"},
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation address"},
	{netip.MustParsePrefix("192.88.99.0/24"), "reserved address"}, // 6to4 relays
	{netip.MustParsePrefix("192.168.0.0/16"), "private address"},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmark address"},
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation address"},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation address"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast address"},
	{netip.MustParsePrefix("255.255.255.255/32"), "broadcast address"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved address"},
	{netip.MustParsePrefix("::/128"), "unspecified address"},
	{netip.MustParsePrefix("::1/128"), "loopback address"},
	{netip.MustParsePrefix("64:ff9b::/96"), "translated address"},   // NAT64
	{netip.MustParsePrefix("64:ff9b:1::/48"), "translated address"}, // local NAT64
	{netip.MustParsePrefix("2001::/32"), "translated address"},      // Teredo
	{netip.MustParsePrefix("2002::/16"), "translated address"},      // 6to4
	{netip.MustParsePrefix("2001:2::/48"), "benchmark address"},
	{netip.MustParsePrefix("2001::/23"), "reserved address"},
	{netip.MustParsePrefix("2001:db8::/32"), "documentation address"},
	{netip.MustParsePrefix("3fff::/20"), "documentation address"},
	{netip.MustParsePrefix("fc00::/7"), "private address"},
	{netip.MustParsePrefix("fe80::/10"), "link-local address"},
	{netip.MustParsePrefix("fec0::/10"), "private address"}, // site-local
	{netip.MustParsePrefix("ff00::/8"), "multicast address"},
}

// global is all that is given out as public IPv6.
var global = netip.MustParsePrefix("2000::/3")

// Classify says what an address is that is not the public Internet, e.g. "private address"; "" for a public one. An IPv4 address in IPv6 clothes
// (::ffff:0:0/96) is judged as what it is.
func Classify(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	for _, s := range special {
		if s.prefix.Contains(addr) {
			return s.class
		}
	}
	if !addr.IsValid() || addr.Is6() && !global.Contains(addr) {
		return "reserved address"
	}
	return ""
}
