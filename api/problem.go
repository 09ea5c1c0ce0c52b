package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/picloud/picloud/internal/picloud"
)

// problem is RFC 9457's form of an error.
type problem struct {
	Type        string               `json:"type"`
	Title       string               `json:"title"`
	Status      int                  `json:"status"`
	Detail      string               `json:"detail,omitempty"`
	Code        string               `json:"code"`
	RequestID   string               `json:"request_id,omitempty"`
	ExecutionID string               `json:"execution_id,omitempty"`
	Errors      []picloud.FieldError `json:"errors,omitempty"`
}

// internalDetail is all that a caller learns of a platform fault.
const internalDetail = "a fault of the platform: the log has it under the request's id"

// statusClientGone is what the access log shows for a request whose caller left (nginx's number).
const statusClientGone = 499

var statusOf = map[picloud.ErrorKind]int{
	picloud.Internal:           http.StatusInternalServerError,
	picloud.Invalid:            http.StatusUnprocessableEntity,
	picloud.Malformed:          http.StatusBadRequest,
	picloud.Unauthenticated:    http.StatusUnauthorized,
	picloud.Forbidden:          http.StatusForbidden,
	picloud.NotFound:           http.StatusNotFound,
	picloud.Conflict:           http.StatusConflict,
	picloud.PreconditionFailed: http.StatusPreconditionFailed,
	picloud.TooLarge:           http.StatusRequestEntityTooLarge,
	picloud.Unavailable:        http.StatusServiceUnavailable,
}

// fail answers with err. What is no picloud.Error, or an Internal one, is logged and hidden.
func (s *server) fail(c *gin.Context, err error) {
	c.Abort()
	if c.Request.Context().Err() != nil && errors.Is(err, context.Canceled) {
		c.Status(statusClientGone)
		return
	}
	e := picloud.AsError(err)
	if e == nil || e.Kind == picloud.Internal {
		s.log(c).WithError(err).WithField("route", c.FullPath()).Error("request failed")
		s.write(c, http.StatusInternalServerError, problem{Code: "internal", Detail: internalDetail})
		return
	}
	if e.Kind == picloud.Unavailable {
		s.log(c).WithError(err).WithField("route", c.FullPath()).Warn("request refused")
		c.Header("Retry-After", strconv.Itoa(max(1, int(e.RetryAfter.Seconds()))))
	}
	s.write(c, statusOf[e.Kind], problem{Code: e.Code, Detail: e.Message, Errors: e.Fields})
}

// write sends p, with type, title, status and request id filled in, unless an answer is under way already.
func (s *server) write(c *gin.Context, status int, p problem) {
	c.Abort()
	if c.Writer.Written() {
		return
	}
	p.Type, p.Title, p.Status = "about:blank", http.StatusText(status), status
	p.RequestID = c.Writer.Header().Get(requestIDHeader)
	body, err := json.Marshal(p)
	if err != nil { // no value of problem's fields can cause it
		body = []byte(`{"type":"about:blank","title":"Internal Server Error","status":500,"code":"internal"}`)
	}
	c.Data(status, "application/problem+json", body)
}

// failParameter answers a parameter that the generated code could not read. Its error is a text: "Invalid format for parameter <name>: …" or
// "Expected one value for <name>, got 2".
func (s *server) failParameter(c *gin.Context, err error, _ int) {
	text := err.Error()
	for _, prefix := range []string{"Invalid format for parameter ", "Expected one value for "} {
		if rest, ok := strings.CutPrefix(text, prefix); ok {
			name := rest[:strings.IndexAny(rest+":", ":,")]
			what := "cannot be read"
			switch {
			case name == "limit" || name == "version":
				what = "must be a whole number"
			case strings.HasPrefix(prefix, "Expected"):
				what = "may be given once only"
			}
			s.fail(c, picloud.InvalidField(name, "%s", what))
			return
		}
	}
	s.fail(c, picloud.Errorf(picloud.Malformed, "malformed_parameter", "a parameter cannot be read"))
}
