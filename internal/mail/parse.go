package mail

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/textproto"
	"slices"
	"strings"

	"github.com/jhillyerd/enmime/v2"

	"github.com/picloud/picloud/internal/picloud"
)

const (
	// maxMultiparts bounds how deep a mail may be nested: the parser's work grows with depth × size.
	maxMultiparts = 50
	// maxHops is how many servers a mail may have passed. Source: RFC 5321, section 6.3.
	maxHops = 100
)

// envelope is what the SMTP session says about a mail, and what was found out about that.
type envelope struct {
	from    string // "" for a bounce
	verdict verdict
}

// parse makes the data of the event of a mail. What cannot be read is kept raw: nothing is lost, and nothing a mail holds makes it fail.
func parse(raw []byte, e envelope) picloud.EmailData {
	parsed, err := readEnvelope(raw)
	if err != nil {
		return unread(raw, e, err.Error())
	}
	d := picloud.EmailData{
		From: e.from, To: addresses(parsed, "To"), CC: addresses(parsed, "Cc"), Subject: parsed.GetHeader("Subject"), Text: parsed.Text, HTML: parsed.HTML,
		Headers: headers(parsed, e), Attachments: attachments(parsed), SPF: e.verdict.spf, DKIM: e.verdict.dkim,
	}
	if from := addresses(parsed, "From"); len(from) > 0 {
		d.From = from[0]
	}
	if i := slices.IndexFunc(parsed.Errors, func(e *enmime.Error) bool { return e.Severe }); i >= 0 {
		d.Malformed, d.Raw = parsed.Errors[i].Error(), raw
	}
	return d
}

// unread is the data of a mail of which nothing could be read.
func unread(raw []byte, e envelope, why string) picloud.EmailData {
	return picloud.EmailData{
		From: e.from, To: []string{}, CC: []string{}, Headers: map[string]string{}, Attachments: []picloud.EmailAttachment{}, SPF: e.verdict.spf, DKIM: e.verdict.dkim,
		Malformed: why, Raw: raw,
	}
}

// encode gives the JSON of a mail's data. One whose parts are too large beside the whole mail is kept raw alone; ok is false when that is too large too.
func encode(d picloud.EmailData, raw []byte, e envelope, most int) (data []byte, ok bool) {
	data = marshal(d)
	if len(data) > most && d.Malformed != "" {
		data = marshal(unread(raw, e, d.Malformed))
	}
	return data, len(data) <= most
}

func marshal(d picloud.EmailData) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // a mail's HTML would grow six times
	if err := encoder.Encode(d); err != nil {
		panic(fmt.Sprintf("encode mail: %v", err)) // strings, numbers and bytes always encode
	}
	return bytes.TrimSpace(b.Bytes())
}

// readEnvelope parses a mail. Whatever a parser does on what strangers send, the session goes on.
func readEnvelope(raw []byte) (parsed *enmime.Envelope, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the parser failed: %v", r)
		}
	}()
	if n := countFold(raw, "multipart/"); n > maxMultiparts {
		return nil, fmt.Errorf("it has %d parts of parts: at most %d are read", n, maxMultiparts)
	}
	parsed, err = enmime.NewParser(enmime.SkipMalformedParts(true), enmime.MaxStoredPartErrors(maxMultiparts)).ReadEnvelope(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	if parsed.Root == nil || len(parsed.Root.Header) == 0 {
		return nil, errors.New("it has no headers")
	}
	return parsed, nil
}

func countFold(raw []byte, word string) int {
	return bytes.Count(bytes.ToLower(raw), []byte(word))
}

// hops counts the servers that the mail has passed.
func hops(raw []byte) int {
	head, _, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	n := countFold(head, "\nreceived:")
	if bytes.HasPrefix(bytes.ToLower(head[:min(len(head), 9)]), []byte("received:")) {
		n++
	}
	return n
}

// addresses gives the bare addresses of a header. One that cannot be read is left out: it is in headers as it is.
func addresses(parsed *enmime.Envelope, header string) []string {
	out := []string{}
	list, err := parsed.AddressList(header)
	if err != nil {
		return out
	}
	for _, a := range list {
		out = append(out, a.Address)
	}
	return out
}

// headers gives the headers by lower-case names. Authentication-Results are this server's own: those that came along may be forged.
func headers(parsed *enmime.Envelope, e envelope) map[string]string {
	out := map[string]string{}
	for name := range parsed.Root.Header {
		out[strings.ToLower(name)] = strings.Join(parsed.GetHeaderValues(textproto.CanonicalMIMEHeaderKey(name)), "\n")
	}
	out["authentication-results"] = e.verdict.header
	out["return-path"] = "<" + e.from + ">"
	return out
}

// attachments gives the parts that are not the text: files, inline images, and what has no disposition.
func attachments(parsed *enmime.Envelope) []picloud.EmailAttachment {
	out := []picloud.EmailAttachment{}
	for _, p := range slices.Concat(parsed.Attachments, parsed.Inlines, parsed.OtherParts) {
		content := p.Content
		if content == nil {
			content = []byte{}
		}
		out = append(out, picloud.EmailAttachment{Filename: p.FileName, ContentType: p.ContentType, Size: len(content), Content: content})
	}
	return out
}
