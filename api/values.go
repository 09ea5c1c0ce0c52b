package api

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/picloud/picloud/internal/picloud"
)

// newID makes a UUIDv7.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// isID says whether s is a UUID in its usual form.
func isID(s string) bool { return len(s) == 36 && uuid.Validate(s) == nil }

// deref gives what p points to, or the zero value.
func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// orNil gives a pointer to v, or nil for the zero value.
func orNil[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// instant gives t in UTC, nil for the zero time.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// convert gives items as the API shows them; never nil, so that JSON has [] and not null.
func convert[A, B any](items []A, to func(A) B) []B {
	out := make([]B, len(items))
	for i, item := range items {
		out[i] = to(item)
	}
	return out
}

// page reads limit and cursor.
func page(limit *Limit, cursor *Cursor) (picloud.Page, error) {
	p := picloud.Page{Limit: picloud.DefaultPageLimit, Cursor: deref(cursor)}
	if limit != nil {
		p.Limit = *limit
	}
	if p.Limit < 1 || p.Limit > picloud.MaxPageLimit {
		return p, picloud.InvalidField("limit", "must be 1 to %d", picloud.MaxPageLimit)
	}
	return p, checkText("cursor", p.Cursor, maxCursorLength)
}

// idPage is page for lists whose cursor is an id.
func idPage(limit *Limit, cursor *Cursor) (picloud.Page, error) {
	p, err := page(limit, cursor)
	if err == nil && p.Cursor != "" && !isID(p.Cursor) {
		err = picloud.InvalidField("cursor", "%q is no cursor: use the next_cursor of the page before", p.Cursor)
	}
	return p, err
}

// namePage is page for lists whose cursor is a name.
func namePage(limit *Limit, cursor *Cursor) (picloud.Page, error) {
	p, err := page(limit, cursor)
	if err == nil && p.Cursor != "" && picloud.CheckName("cursor", p.Cursor) != nil {
		err = picloud.InvalidField("cursor", "%q is no cursor: use the next_cursor of the page before", p.Cursor)
	}
	return p, err
}

// The longest texts, in bytes.
const (
	maxCursorLength = 2048
	maxFilterLength = 256
)

// checkText says whether s is fit to be stored and compared as text.
func checkText(field, s string, limit int) error {
	switch {
	case len(s) > limit:
		return picloud.InvalidField(field, "is %d bytes long: at most %d", len(s), limit)
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return picloud.InvalidField(field, "contains a NUL or invalid UTF-8")
	}
	return nil
}

// checkFilters checks the texts of a list's filters, given as name, value, name, value and so on.
func checkFilters(pairs ...string) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		if err := checkText(pairs[i], pairs[i+1], maxFilterLength); err != nil {
			return err
		}
	}
	return nil
}

// parseDuration reads a Go duration string.
func parseDuration(field, s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, picloud.InvalidField(field, `%q is no duration: use e.g. "500ms", "10s" or "5m"`, s[:min(len(s), 50)])
	}
	return d, nil
}

// optionalDuration writes a duration; nil for 0.
func optionalDuration(d time.Duration) *string {
	if d == 0 {
		return nil
	}
	s := formatDuration(d)
	return &s
}

// formatDuration writes a duration without the parts that are zero: "5m", not "5m0s".
func formatDuration(d time.Duration) string {
	s := d.String()
	if d >= time.Minute && strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if d >= time.Hour && strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
