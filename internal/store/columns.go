package store

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/picloud/picloud/internal/picloud"
)

// optional gives the column of an optional text: "" is NULL.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// optionalNumber gives the column of an optional number that is bounded before: 0 is NULL.
func optionalNumber(n int) *int32 {
	if n == 0 {
		return nil
	}
	v := int32(n)
	return &v
}

// value gives what p points to; the zero value for NULL.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// encode gives the JSON column of v; NULL for a nil pointer or slice.
func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode column: %w", err)
	}
	if string(b) == "null" {
		return nil, nil
	}
	return b, nil
}

// decode reads a JSON column; NULL leaves the zero value.
func decode[T any](column []byte) (T, error) {
	var v T
	if column == nil {
		return v, nil
	}
	if err := json.Unmarshal(column, &v); err != nil {
		return v, fmt.Errorf("decode column: %w", err)
	}
	return v, nil
}

// decodeOptional reads a JSON column; NULL is nil.
func decodeOptional[T any](column []byte) (*T, error) {
	if column == nil {
		return nil, nil
	}
	v, err := decode[T](column)
	return &v, err
}

// newID makes a UUIDv7.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// isID says whether s is a UUID: what is none stands for nothing, and would be a fault in SQL.
func isID(s string) bool { return uuid.Validate(s) == nil && len(s) == 36 }

// checkCursor says whether an id cursor is one.
func checkCursor(cursor string) error {
	if cursor != "" && !isID(cursor) {
		return picloud.InvalidField("cursor", "%q is no cursor: use the next_cursor of the page before", cursor)
	}
	return nil
}

// cut makes the page out of one row more than was asked for: the extra row says that there is a next page.
func cut[T any](items []T, limit int, cursor func(T) string) picloud.List[T] {
	if len(items) <= limit {
		return picloud.List[T]{Items: items}
	}
	items = items[:limit]
	return picloud.List[T]{Items: items, Next: cursor(items[limit-1])}
}

// size gives the number of rows to ask for: one more than the page holds.
func size(page picloud.Page) int32 {
	return int32(bounded(page)) + 1 // bounded by MaxPageLimit
}

// bounded gives the page's limit within its bounds.
func bounded(page picloud.Page) int {
	if page.Limit <= 0 {
		return picloud.DefaultPageLimit
	}
	return min(page.Limit, picloud.MaxPageLimit)
}

// since gives the column of an optional time: zero is NULL.
func since(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// convert applies fn to every row.
func convert[R, T any](rows []R, fn func(R) T) []T {
	items := make([]T, len(rows))
	for i, r := range rows {
		items[i] = fn(r)
	}
	return items
}
