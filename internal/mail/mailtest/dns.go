package mailtest

import (
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// DNS starts a DNS server on a free port of loopback (UDP) that ends with the test, and gives its address. It has the TXT records of texts, by name without
// the last dot; of a name whose text is "silence" it never answers; all else does not exist.
func DNS(t testing.TB, texts map[string]string) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if answer := answerTo(buffer[:n], texts); answer != nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	return conn.LocalAddr().String()
}

// answerTo makes the answer to a question; nil = none.
func answerTo(question []byte, texts map[string]string) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	text, known := texts[strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))]
	switch {
	case text == "silence":
		return nil
	case !known:
		m.RCode = dnsmessage.RCodeNameError
	case q.Type == dnsmessage.TypeTXT:
		var parts []string
		for len(text) > 255 {
			parts, text = append(parts, text[:255]), text[255:]
		}
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: dnsmessage.ClassINET, TTL: 60}, Body: &dnsmessage.TXTResource{TXT: append(parts, text)},
		}}
	}
	answer, err := m.Pack()
	if err != nil {
		return nil
	}
	return answer
}
