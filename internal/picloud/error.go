package picloud

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrorKind sorts errors by what the caller can do about them. The REST layer maps each kind to one HTTP status.
type ErrorKind uint8

// The kinds of Error, with the HTTP status that the REST layer answers.
const (
	Internal           ErrorKind = iota // 500: a platform fault; the detail stays in the log
	Invalid                             // 422: a field is wrong; Fields says which and how to mend it
	Malformed                           // 400: the request cannot be read at all
	Unauthenticated                     // 401
	Forbidden                           // 403
	NotFound                            // 404
	Conflict                            // 409
	PreconditionFailed                  // 412: If-Match or If-None-Match did not hold
	TooLarge                            // 413
	Unavailable                         // 503: try again later
)

// FieldError names one wrong field of a request and says how to mend it.
type FieldError struct {
	Field   string `json:"field"`   // dotted path, e.g. "config.collection"
	Message string `json:"message"` // what is wrong and what would be right
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
}

// Error is the one error of the domain. Code is a stable snake_case word that clients may switch on; Message is a
// sentence for people.
type Error struct {
	Kind    ErrorKind
	Code    string
	Message string
	Fields  []FieldError
	Cause   error
	// RetryAfter is when to try again, for Unavailable; 0 = soon.
	RetryAfter time.Duration
}

// Error gives the message, followed by the field errors, if any.
func (e *Error) Error() string {
	var s strings.Builder
	s.WriteString(e.Message)
	for _, f := range e.Fields {
		fmt.Fprintf(&s, "; %s: %s", f.Field, f.Message)
	}
	if e.Cause != nil {
		s.WriteString(": " + e.Cause.Error())
	}
	return s.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Errorf makes an Error without fields.
func Errorf(kind ErrorKind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}

// InvalidField makes the Error for one wrong field, code "invalid".
func InvalidField(field, format string, args ...any) *Error {
	return InvalidFields(FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
}

// InvalidFields makes the Error for several wrong fields, code "invalid".
func InvalidFields(fields ...FieldError) *Error {
	return &Error{Kind: Invalid, Code: "invalid", Message: "the request has invalid fields", Fields: fields}
}

// NotFoundError makes the Error for a missing thing: code "<what>_not_found".
func NotFoundError(what, name string) *Error {
	return Errorf(NotFound, what+"_not_found", "there is no %s %q", what, name)
}

// ErrorCode gives the code of the first Error in err's chain, or "internal".
func ErrorCode(err error) string {
	if e := AsError(err); e != nil {
		return e.Code
	}
	return "internal"
}

// AsError gives the first Error in err's chain, or nil.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return nil
}
