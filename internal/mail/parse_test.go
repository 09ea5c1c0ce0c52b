package mail

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
)

var plainEnvelope = envelope{from: "bounce@b.example", verdict: verdict{spf: picloud.AuthPass, dkim: picloud.AuthNone, header: "localhost; none"}}

func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

// What people send, as scripts see it.
func TestParse(t *testing.T) {
	t.Parallel()
	d := parse(crlf(`From: =?utf-8?q?J=C3=B6rg?= <joerg@b.example>
To: Support <support@shop.localhost>, second@shop.localhost
Cc: "Doe, Jane" <jane@c.example>
Subject: =?iso-8859-1?Q?Gr=FC=DFe?=
Received: from a
Received: from b
Authentication-Results: localhost; spf=pass smtp.mailfrom=forged.example
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=X

--X
Content-Type: multipart/alternative; boundary=Y

--Y
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

caf=E9
--Y
Content-Type: text/html; charset=utf-8

<p>café</p>
--Y--
--X
Content-Type: application/pdf; name="r.pdf"
Content-Disposition: attachment; filename="r.pdf"
Content-Transfer-Encoding: base64

aGVsbG8=
--X--
`), plainEnvelope)
	assert.Equal(t, "joerg@b.example", d.From)
	assert.Equal(t, []string{"support@shop.localhost", "second@shop.localhost"}, d.To)
	assert.Equal(t, []string{"jane@c.example"}, d.CC)
	assert.Equal(t, "Grüße", d.Subject)
	assert.Equal(t, "café", strings.TrimSpace(d.Text))
	assert.Equal(t, "<p>café</p>", strings.TrimSpace(d.HTML))
	assert.Equal(t, []picloud.EmailAttachment{{Filename: "r.pdf", ContentType: "application/pdf", Size: 5, Content: []byte("hello")}}, d.Attachments)
	assert.Equal(t, "from a\nfrom b", d.Headers["received"])
	assert.Equal(t, "localhost; none", d.Headers["authentication-results"], "what came along may be forged")
	assert.Equal(t, "<bounce@b.example>", d.Headers["return-path"])
	assert.Equal(t, "Jörg <joerg@b.example>", d.Headers["from"])
	assert.Equal(t, []picloud.AuthResult{picloud.AuthPass, picloud.AuthNone}, []picloud.AuthResult{d.SPF, d.DKIM})
	assert.Empty(t, d.Malformed)
	assert.Nil(t, d.Raw)
}

// A mail that cannot be read is kept whole.
func TestMalformedMailsAreKept(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"nothing":      "",
		"no headers":   "\n\nhello",
		"not MIME":     "\x00\x01\x02",
		"no boundary":  "From: a@b.c\nMIME-Version: 1.0\nContent-Type: multipart/mixed\n\nx",
		"nested":       "From: a@b.c\n" + strings.Repeat("Content-Type: multipart/mixed; boundary=a\n\n--a\n", 60),
		"no From":      "Subject: x\n\ny",
		"broken From":  "From: <<>>\nSubject: x\n\ny",
		"bad base64":   "From: a@b.c\nContent-Transfer-Encoding: base64\n\n!!!!",
		"bad charset":  "From: a@b.c\nContent-Type: text/plain; charset=klingon\n\n\xff\xfe",
		"bad encoding": "From: a@b.c\nSubject: =?utf-8?B?////?=\n\nx",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkData(t, crlf(raw))
		})
	}
	d := parse([]byte("\r\n\r\nhello"), plainEnvelope)
	assert.Equal(t, "bounce@b.example", d.From)
	assert.Equal(t, "it has no headers", d.Malformed)
	assert.Equal(t, "\r\n\r\nhello", string(d.Raw))
}

// checkData checks what holds for every mail: its data is JSON with all its members, within a bound, and nothing of it is lost unsaid.
func checkData(t *testing.T, raw []byte) {
	t.Helper()
	d := parse(raw, plainEnvelope)
	data, ok := encode(d, raw, plainEnvelope, picloud.DefaultLimits.MaxEventBytes())
	if !ok {
		require.Greater(t, len(data), picloud.DefaultLimits.MaxEventBytes())
		return
	}
	var back map[string]any
	require.NoError(t, json.Unmarshal(data, &back))
	for _, name := range []string{"from", "to", "cc", "subject", "text", "html", "headers", "attachments", "spf", "dkim"} {
		require.Contains(t, back, name)
		require.NotNil(t, back[name], name)
	}
	if d.Malformed != "" {
		require.Equal(t, string(raw), string(d.Raw))
	}
}

func TestHops(t *testing.T) {
	t.Parallel()
	assert.Equal(t, 2, hops(crlf("Received: a\nX: y\nreceived: b\n\nReceived: c\n")))
	assert.Zero(t, hops(nil))
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "From: a@b.c\nSubject: x\n\ny", "From: a@b.c\nContent-Type: multipart/mixed; boundary=X\n\n--X\nContent-Type: text/html\n\n<p>\n--X--\n",
		"Content-Type: message/rfc822\n\nFrom: a@b.c\n\nx", "From: a@b.c\nContent-Transfer-Encoding: quoted-printable\n\n=\n==3D",
		"Content-Type: text/plain; charset=\"utf-7\"\n\n+ADw-", "Content-Disposition: attachment; filename*=utf-8''%ff\n\nx",
	} {
		f.Add(crlf(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) { checkData(t, raw) })
}
