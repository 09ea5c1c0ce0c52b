package api

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/picloud/picloud/internal/auth"
	"github.com/picloud/picloud/internal/picloud"
)

// executionHeader names the execution that an answer comes from.
const executionHeader = "X-PiCloud-Execution"

// ownHeaders are the headers that a script's Response does not set: those of the connection (RFC 9110, section 7.6.1), and the server's own.
var ownHeaders = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Authorization": true, "Proxy-Connection": true, "Te": true,
	"Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "Content-Length": true, "X-Picloud-Execution": true, "X-Request-Id": true,
	"Strict-Transport-Security": true, "X-Content-Type-Options": true, "Alt-Svc": true, "Clear-Site-Data": true,
}

// setsOwnCookie says whether a header would set a cookie of the server's own: that of a session signs a person in as somebody else. A cookie without a name counts, since
// browsers send its value alone (RFC 6265bis, section 5.7).
func setsOwnCookie(name, value string) bool {
	if name != "Set-Cookie" {
		return false
	}
	pair, _, _ := strings.Cut(value, ";")
	pair = strings.TrimLeft(pair, " \t=")
	cookie, _, _ := strings.Cut(pair, "=")
	return auth.IsCookie(strings.TrimSpace(cookie))
}

// answer turns the end of an execution into the HTTP answer.
func (s *server) answer(c *gin.Context, id string, end picloud.Committed) {
	switch {
	case end.Status != picloud.StatusSucceeded:
		s.answerFailure(c, id, end)
	case end.Result != nil && end.Result.Response != nil:
		s.answerResponse(c, id, *end.Result.Response)
	default:
		value := []byte("null")
		if end.Result != nil && len(end.Result.Value) > 0 {
			value = end.Result.Value
		}
		c.Data(http.StatusOK, "application/json; charset=utf-8", value)
	}
}

// answerFailure says why the script failed; its code is the reason.
func (s *server) answerFailure(c *gin.Context, id string, end picloud.Committed) {
	p := problem{Code: string(picloud.ReasonScriptError), ExecutionID: id, Detail: "the execution ended as " + string(end.Status)}
	if end.Status == picloud.StatusCanceled {
		p.Code = string(picloud.StatusCanceled)
	}
	if e := end.Error; e != nil {
		p.Detail = e.Error()
		if e.Reason != "" {
			p.Code = string(e.Reason)
		}
	}
	s.write(c, http.StatusInternalServerError, p)
}

// answerResponse sends a script's own Response.
func (s *server) answerResponse(c *gin.Context, id string, r picloud.Response) {
	if r.Status < http.StatusOK || r.Status > 599 {
		s.write(c, http.StatusInternalServerError, problem{
			Code: string(picloud.ReasonPayloadInvalid), ExecutionID: id, Detail: "the script's Response has no final HTTP status",
		})
		return
	}
	h := c.Writer.Header()
	for _, pair := range r.Headers {
		if name := http.CanonicalHeaderKey(strings.TrimSpace(pair[0])); !ownHeaders[name] && !setsOwnCookie(name, pair[1]) && (!isCORS(name) || h.Get(name) == "") {
			h.Add(name, pair[1]) // a Content-Security-Policy of its own narrows that of its door: both hold
		}
	}
	if len(r.Body) > 0 && h.Get("Content-Type") == "" {
		h.Set("Content-Type", "text/plain; charset=utf-8") // never sniffed: a script's text is no page unless it says so
	}
	c.Status(r.Status)
	if r.Status == http.StatusNoContent || r.Status == http.StatusNotModified || len(r.Body) == 0 {
		c.Writer.WriteHeaderNow()
		return
	}
	_, _ = c.Writer.Write(r.Body) // the caller may be gone
}
