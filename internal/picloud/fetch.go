package picloud

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// FetchRule names destinations of ctx.fetch: one host, the hosts below a suffix, or a range of addresses; on one port or on all.
type FetchRule struct {
	Host   string       // lower case; "" for a rule of a suffix or of addresses
	Suffix string       // with its leading dot, ".example.com": what is below it, not the name itself
	Prefix netip.Prefix // invalid for a rule of names
	Port   uint16       // 0 = all
}

// FetchRules are an allow-list. The zero list matches nothing.
type FetchRules []FetchRule

// MaxFetchRules is the longest allow-list of an app.
const MaxFetchRules = 100

var hostForm = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$`)

// ParseFetchRules reads entries of the forms "api.example.com", "*.example.com", "10.0.0.0/8", "10.1.2.3", "2001:db8::/32", each but the last also with
// a port: "host:443", "10.0.0.0/8:5432", "[2001:db8::1]:443". Names are ASCII: what is not is written as Punycode. The error names the entry.
func ParseFetchRules(entries []string) (FetchRules, error) {
	rules := make(FetchRules, 0, len(entries))
	for _, entry := range entries {
		rule, err := parseFetchRule(strings.ToLower(strings.TrimSpace(entry)))
		if err != nil {
			return nil, fmt.Errorf("entry %q: %w", entry[:min(len(entry), 100)], err)
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

func parseFetchRule(entry string) (FetchRule, error) {
	name, port, err := cutPort(entry)
	if err != nil {
		return FetchRule{}, err
	}
	if prefix, err := netip.ParsePrefix(name); err == nil {
		return FetchRule{Prefix: prefix.Masked(), Port: port}, nil
	}
	if addr, err := netip.ParseAddr(name); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return FetchRule{Prefix: netip.PrefixFrom(addr, addr.BitLen()), Port: port}, nil
	}
	rest, isSuffix := strings.CutPrefix(name, "*")
	rest = strings.TrimSuffix(rest, ".")
	if isSuffix {
		if strings.HasPrefix(rest, ".") && hostForm.MatchString(rest[1:]) {
			return FetchRule{Suffix: rest, Port: port}, nil
		}
	} else if len(rest) <= 253 && hostForm.MatchString(rest) {
		return FetchRule{Host: rest, Port: port}, nil
	}
	return FetchRule{}, errors.New("give a host name, *.suffix, an address or a CIDR, each with or without :port")
}

// cutPort cuts ":port" off an entry. An IPv6 address that has a port stands in brackets.
func cutPort(entry string) (name string, port uint16, err error) {
	name = entry
	at := strings.LastIndexByte(entry, ':')
	switch {
	case strings.HasPrefix(entry, "["):
		end := strings.IndexByte(entry, ']')
		if end < 0 || end+1 < len(entry) && at != end+1 {
			return "", 0, errors.New("a bracket is open")
		}
		name = entry[1:end]
		if end+1 == len(entry) {
			return name, 0, nil
		}
	case at < 0 || strings.Count(entry, ":") > 1:
		return name, 0, nil
	default:
		name = entry[:at]
	}
	n, err := strconv.ParseUint(entry[at+1:], 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("%q is no port", entry[at+1:])
	}
	return name, uint16(n), nil
}

// Match reports whether a rule names the destination: host is the name that was asked for (or the address as text), addr what it stands for.
func (rules FetchRules) Match(host string, addr netip.Addr, port uint16) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	addr = addr.Unmap().WithZone("")
	for _, r := range rules {
		if r.Port != 0 && r.Port != port {
			continue
		}
		switch {
		case r.Prefix.IsValid():
			if r.Prefix.Contains(addr) {
				return true
			}
		case r.Suffix != "":
			if strings.HasSuffix(host, r.Suffix) {
				return true
			}
		case r.Host == host:
			return true
		}
	}
	return false
}

// CheckFetchAllow says whether entries can be an app's allow-list.
func CheckFetchAllow(entries []string) error {
	if len(entries) > MaxFetchRules {
		return InvalidField("fetch_allow", "has %d entries: at most %d", len(entries), MaxFetchRules)
	}
	if _, err := ParseFetchRules(entries); err != nil {
		return InvalidField("fetch_allow", "%v", err)
	}
	return nil
}
