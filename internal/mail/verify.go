package mail

import (
	"bytes"
	"context"
	"errors"
	"net"
	"time"

	"blitiri.com.ar/go/spf"
	"github.com/emersion/go-msgauth/authres"
	"github.com/emersion/go-msgauth/dkim"

	"github.com/picloud/picloud/internal/picloud"
)

const (
	// verifyTimeout bounds all DNS questions about one mail.
	verifyTimeout = 5 * time.Second
	// maxSignatures is how many DKIM signatures of a mail are looked at.
	maxSignatures = 5
)

// Resolver answers the DNS questions of SPF and DKIM; *net.Resolver is one.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error)
	LookupAddr(ctx context.Context, addr string) ([]string, error)
}

// ResolverAt asks the DNS server at address ("127.0.0.1:53"); "" is the system's resolver.
func ResolverAt(address string) Resolver {
	if address == "" {
		return net.DefaultResolver
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}}
}

// verdict is what SPF and DKIM say about a mail; header is the same as an Authentication-Results header, with the domains that were looked at.
type verdict struct {
	spf, dkim picloud.AuthResult
	header    string
}

// sender is who hands a mail over.
type sender struct {
	ip         net.IP
	helo, from string
}

// verifier asks DNS about mails.
type verifier struct {
	resolver Resolver
	identity string // authserv-id of the header
	timeout  time.Duration
}

// verify says what SPF and DKIM say. It takes no longer than its timeout: what is not known by then is a temperror.
func (v verifier) verify(ctx context.Context, s sender, raw []byte) verdict {
	ctx, cancel := context.WithTimeout(ctx, v.timeout)
	defer cancel()
	spfDone := within[authres.Result](ctx, func() authres.Result { return v.spf(ctx, s) }, &authres.SPFResult{Value: authres.ResultTempError, From: s.from, Helo: s.helo})
	dkimDone := within(ctx, func() []authres.Result { return v.dkim(ctx, raw) }, []authres.Result{&authres.DKIMResult{Value: authres.ResultTempError}})
	spfResult, dkimResults := <-spfDone, <-dkimDone
	return verdict{
		spf: resultOf(spfResult), dkim: best(dkimResults), header: authres.Format(v.identity, append([]authres.Result{spfResult}, dkimResults...)),
	}
}

// within gives f's value, or instead when ctx ends first: a resolver may not heed ctx. A panic of f is instead, too: it reads what strangers send.
func within[T any](ctx context.Context, f func() T, instead T) <-chan T {
	out := make(chan T, 1)
	done := make(chan T, 1)
	go func() {
		defer func() {
			if recover() != nil {
				done <- instead
			}
		}()
		done <- f()
	}()
	go func() {
		select {
		case value := <-done:
			out <- value
		case <-ctx.Done():
			out <- instead
		}
	}()
	return out
}

func (v verifier) spf(ctx context.Context, s sender) authres.Result {
	identity := s.from
	if identity == "" {
		identity = "postmaster@" + s.helo
	}
	result, _ := spf.CheckHostWithSender(s.ip, s.helo, identity, spf.WithResolver(v.resolver), spf.WithContext(ctx)) // the error explains the result
	return &authres.SPFResult{Value: authres.ResultValue(result), From: s.from, Helo: s.helo}
}

func (v verifier) dkim(ctx context.Context, raw []byte) []authres.Result {
	verifications, err := dkim.VerifyWithOptions(bytes.NewReader(raw), &dkim.VerifyOptions{
		LookupTXT:        func(name string) ([]string, error) { return v.resolver.LookupTXT(ctx, name) },
		MaxVerifications: maxSignatures,
	})
	if err != nil && !errors.Is(err, dkim.ErrTooManySignatures) {
		return []authres.Result{&authres.DKIMResult{Value: authres.ResultPermError}}
	}
	var results []authres.Result
	for _, one := range verifications {
		value := authres.ResultValue(authres.ResultPass)
		switch {
		case one.Err == nil:
		case dkim.IsTempFail(one.Err):
			value = authres.ResultTempError
		case dkim.IsPermFail(one.Err):
			value = authres.ResultPermError
		default:
			value = authres.ResultFail
		}
		results = append(results, &authres.DKIMResult{Value: value, Domain: one.Domain, Identifier: one.Identifier})
	}
	if results == nil {
		results = []authres.Result{&authres.DKIMResult{Value: authres.ResultNone}}
	}
	return results
}

// best gives the result of the signature that counts: any that passes, else the first. The header names the domains: a signature of somebody else proves nothing about the sender.
func best(results []authres.Result) picloud.AuthResult {
	for _, r := range results {
		if resultOf(r) == picloud.AuthPass {
			return picloud.AuthPass
		}
	}
	return resultOf(results[0])
}

// resultOf gives the word of a result.
func resultOf(r authres.Result) picloud.AuthResult {
	switch r := r.(type) {
	case *authres.SPFResult:
		return picloud.AuthResult(r.Value)
	case *authres.DKIMResult:
		return picloud.AuthResult(r.Value)
	}
	return picloud.AuthNone
}
