package mailtest

import (
	"net/smtp"
	"testing"

	"github.com/stretchr/testify/require"
)

// Send hands a mail (lines end with CRLF) to the SMTP server at address, in plain text, and fails the test unless it answers 250.
func Send(t testing.TB, address, from, to, raw string) {
	t.Helper()
	c, err := smtp.Dial(address)
	require.NoError(t, err)
	defer c.Close() //nolint:errcheck // the answer was read
	require.NoError(t, c.Mail(from))
	require.NoError(t, c.Rcpt(to))
	w, err := c.Data()
	require.NoError(t, err)
	_, err = w.Write([]byte(raw))
	require.NoError(t, err)
	require.NoError(t, w.Close(), "250")
}
